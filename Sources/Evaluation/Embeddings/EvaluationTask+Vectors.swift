internal import Tensors
internal import Tokenizers
internal import Transformers

/// Tasks that compare the vectors of an encoder.
extension EvaluationTask {
    /// Evaluates an encoder on a task that compares vectors.
    func compared<Words: Tokenizer>(
        _ encoder: TextEncoder<Words>, engine: Engine, progress: (Double) throws -> Void
    ) throws -> TaskResult {
        let texts = vectorTexts
        let total = Double(max(texts.reduce(0) { $0 + $1.count }, 1))
        var encoder = encoder
        var done = 0
        let vectors = try texts.map { texts in
            let vectors = try encoder.vectors(of: texts, isUnit: usesCosine) {
                try progress(Double(done + $0) / total)
            }
            done += texts.count
            return vectors
        }
        switch kind {
        case .reranking: return reranked(texts, vectors)
        case .clustering: return clustered(vectors[0], engine)
        case .fewShot: return classified(vectors[0], examples: vectors[1])
        case .pairs: return matched(vectors[0], vectors[1])
        default: return try retrieved(vectors[0], passages: vectors[1], engine)
        }
    }

    private var usesCosine: Bool { kind != .clustering && kind != .fewShot }

    /// The texts whose vectors are computed: those of the items first.
    private var vectorTexts: [[String]] {
        let (before, beforePassages) = (vectors.queryPrefix, vectors.passagePrefix)
        var (own, others) = ([String](), [String]())
        for item in items {
            switch item {
            case .search(let query, _, _): own.append(before + query)
            case .ranking(let query, let positive, let negative):
                own.append(before + query)
                others += (positive + negative).map { beforePassages + $0 }
            case .clustered(let text, _), .labelled(let text, _, _, _): own.append(before + text)
            case .pair(let first, let second, _):
                own.append(before + first)
                others.append(before + second)
            default: continue
            }
        }
        switch kind {
        case .clustering: return [own]
        case .fewShot:
            guard let training = vectors.training else { return [own, []] }
            return [
                own,
                training.drawn(in: training.indicesOfDraws).map { before + training.texts[$0] },
            ]
        case .retrieval: return [own, vectors.passages.map { beforePassages + $0.text }]
        case .reranking:
            // A passage of several queries is encoded once.
            return [own, Set(others).sorted()]
        default: return [own, others]
        }
    }

    private func retrieved(
        _ queries: Matrix<Double>, passages: Matrix<Double>, _ engine: Engine
    ) throws -> TaskResult {
        let places = Dictionary(
            uniqueKeysWithValues: vectors.passages.enumerated().map { ($1.id, $0) })
        let columns = passages.transposed
        var rankings: [Ranking] = []
        for first in stride(from: 0, to: items.count, by: 64) {
            let rows = first..<min(first + 64, items.count)
            let similarities = queries.selecting(rows: Array(rows)).multiplied(
                by: columns, pool: engine.pool)
            for row in rows {
                guard case .search(let query, let id, let relevant) = items[row] else { continue }
                let grades = relevant.map { (places[$0.key] ?? 0, $0.value) }
                // Some data sets have the queries among the passages.
                let own = places[id].flatMap { vectors.passages[$0].text == query ? $0 : nil }
                rankings.append(
                    Ranking(
                        similarities.row(row - first),
                        grades: Dictionary(uniqueKeysWithValues: grades), excluding: own))
            }
        }
        return TaskResult(
            name: name, metric: "ndcg_at_10", scores: rankings.map { $0.ndcg(at: 10) },
            others: [
                "mrr_at_10": rankings.map { $0.reciprocalRank(at: 10) }.mean,
                "recall_at_10": rankings.map { $0.recall(at: 10) }.mean,
                "recall_at_100": rankings.map { $0.recall(at: 100) }.mean,
                "map_at_10": rankings.map { $0.averagePrecision(at: 10) }.mean,
            ])
    }

    private func reranked(_ texts: [[String]], _ vectors: [Matrix<Double>]) -> TaskResult {
        let places = Dictionary(uniqueKeysWithValues: texts[1].enumerated().map { ($1, $0) })
        let rankings = items.enumerated().compactMap { index, item -> Ranking? in
            guard case .ranking(_, let positive, let negative) = item else { return nil }
            let query = vectors[0].row(index)
            let similarities = (positive + negative).map { passage in
                let row = vectors[1].row(places[self.vectors.passagePrefix + passage] ?? 0)
                return zip(query, row).reduce(0) { $0 + $1.0 * $1.1 }
            }
            return Ranking(
                similarities[...],
                grades: Dictionary(uniqueKeysWithValues: positive.indices.map { ($0, 1) }))
        }
        return TaskResult(
            name: name, metric: "map", scores: rankings.map { $0.averagePrecision() },
            others: ["mrr": rankings.map { $0.reciprocalRank() }.mean])
    }

    /// The number of runs of k-means.
    private static let runs = 10

    /// Clusters the texts several times with k-means, from seeded starts.
    ///
    /// The value is the mean over runs.
    private func clustered(_ points: Matrix<Double>, _ engine: Engine) -> TaskResult {
        let names = Set(items.map(\.cluster)).sorted()
        let places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let correct = items.map { places[$0.cluster] ?? 0 }
        var random = SplitMix64(seed: 42)
        let runs = (0..<Self.runs).map { _ in
            KMeans(points, count: names.count, random: &random, pool: engine.pool)
        }
        let (values, parts) = runs.map { run in
            let table = ClusterTable(correct, run.clusters)
            let value = table.vMeasure
            return (
                value,
                pseudoValues(
                    of: value, without: table.vMeasures(omitting: correct, run.clusters))
            )
        }.reduce(into: ([Double](), [[Double]]())) {
            $0.0.append($1.0)
            $0.1.append($1.1)
        }
        let scores = items.indices.map { item in parts.map { $0[item] }.mean }
        var result = TaskResult(
            name: name, metric: "v_measure", value: values.mean,
            standardError: TaskResult.error(of: scores), scores: scores,
            others: ["v_measure_min": values.min() ?? 0, "v_measure_max": values.max() ?? 0])
        result.draws = runs.map(\.starts)
        result.predictions = runs.map(\.clusters)
        return result
    }

    /// Fits a logistic regression to the vectors of a few texts of each label, in several draws.
    ///
    /// The score of an item is the fraction of draws in which its label is correct.
    private func classified(_ points: Matrix<Double>, examples: Matrix<Double>) -> TaskResult {
        let truth = items.map { item in
            if case .labelled(_, _, _, let label) = item { label } else { 0 }
        }
        let training = vectors.training
        let draws = training?.indicesOfDraws ?? []
        let drawn = training?.drawn(in: draws) ?? []
        let rows = Dictionary(uniqueKeysWithValues: drawn.enumerated().map { ($1, $0) })
        let predictions = draws.map { draw in
            LogisticRegression(
                examples.selecting(rows: draw.compactMap { rows[$0] }),
                draw.map { training?.labels[$0] ?? 0 }
            ).predictions(of: points)
        }
        let scores = truth.indices.map { item in
            predictions.map { $0[item] == truth[item] ? 1 : 0 }.mean
        }
        var result = TaskResult(
            name: name, metric: "accuracy", scores: scores,
            others: ["f1": predictions.map { macroF1($0, truth) }.mean])
        result.draws = draws
        result.predictions = predictions
        return result
    }

    private func matched(_ first: Matrix<Double>, _ second: Matrix<Double>) -> TaskResult {
        let cosines = items.indices.map { row in
            zip(first.row(row), second.row(row)).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let matches = items.map { if case .pair(_, _, true) = $0 { true } else { false } }
        let order = cosines.indices.sorted { cosines[$0] > cosines[$1] }
        let value = averagePrecision(cosines, matches, order: order)
        let scores = pseudoValues(
            of: value,
            without: items.indices.map {
                averagePrecision(cosines, matches, order: order, omitting: $0)
            })
        var result = TaskResult(
            name: name, metric: "cosine_ap", value: value,
            standardError: TaskResult.error(of: scores), scores: scores, others: [:])
        result.similarities = cosines
        return result
    }
}

extension VectorOptions.Training {
    /// Returns the indices of the training texts that are in a draw, in ascending order.
    func drawn(in draws: [[Int]]) -> [Int] { Set(draws.joined()).sorted() }

    /// The indices of the training texts of each draw, the same as MTEB's.
    ///
    /// Each draw shuffles the indices of the last draw with the same seed. It uses the first texts of
    /// each label, at most ``samples``.
    var indicesOfDraws: [[Int]] {
        var order = Array(texts.indices)
        return (0..<draws).map { _ in
            var random = MersenneTwister(seed: 42)
            random.shuffle(&order)
            var counts: [Int: Int] = [:]
            return order.filter { index in
                counts[labels[index], default: 0] += 1
                return counts[labels[index], default: 0] <= samples
            }
        }
    }
}

/// Returns the mean F1 of all labels that are predicted or correct.
func macroF1(_ given: [Int], _ right: [Int]) -> Double {
    let labels = Set(given + right)
    return labels.sorted().map { label in
        harmonicMean(
            zip(given, right).count { $0 == label && $1 == label },
            given.count { $0 == label }, right.count { $0 == label })
    }.mean
}
