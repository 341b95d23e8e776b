#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension LatencyCurve {
    /// The most likely curve, given the intervals of all levels.
    ///
    /// A search that can choose any level prefers levels whose measured time is too short because
    /// of noise. So the measured seconds are modelled as a smooth curve plus noise. The curve is
    /// the cubic smoothing spline through the medians. A median with a narrow interval has more
    /// weight. The roughness of the curve is chosen by maximum likelihood. If the noise is small
    /// compared with steps that the hardware causes, the steps remain. If intervals have no width,
    /// nothing changes. Intervals and sample counts stay as measured.
    ///
    /// Let `c = Qᵀy` be the second divided differences of the seconds, `R` the covariance of these
    /// differences for an integrated Wiener process, and `S` the variances of the medians. Then
    /// `c ~ N(0, V)` with `V = QᵀSQ + τ²R`. The roughness `τ²` is the most likely of the values 0
    /// and 2⁻¹⁰, 2⁻⁹·⁵, … , 2²⁰, and the curve is `y − S·Q·V⁻¹·c`.
    ///
    /// Source: Reinsch, "Smoothing by spline functions" (1967); Wahba, "A comparison of GCV and GML
    /// for choosing the smoothing parameter in the generalized spline smoothing problem" (1985).
    ///
    /// - Complexity: O(levels)
    public var smooth: LatencyCurve {
        guard entries.count > 2, let largest = entries.first, largest.seconds > 0 else {
            return self
        }
        let contrasts = Contrasts(entries, unit: largest)
        let best = (-20...40).map { exp2(Double($0) / 2) }.reduce(contrasts.fit(roughness: 0)) {
            let fit = contrasts.fit(roughness: $1)
            return fit.likelihood > $0.likelihood ? fit : $0
        }
        var smoothed = entries
        for index in entries.indices {
            smoothed[index].seconds -= best.corrections[index] * largest.seconds
        }
        return LatencyCurve(unchecked: smoothed)
    }
}

extension LatencyCurve {
    /// The straight line with the minimum relative squared error, at the same levels.
    var straight: LatencyCurve {
        guard entries.count > 1 else { return self }
        // Weighted sums of 1, x, x², y and xy; weights are 1 / y².
        var (sum, xs, squares, ys, products) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for entry in entries where entry.seconds > 0 {
            let (x, y) = (Double(entry.level), entry.seconds)
            let weight = 1 / (y * y)
            sum += weight
            xs += weight * x
            squares += weight * x * x
            ys += weight * y
            products += weight * x * y
        }
        let slope = (sum * products - xs * ys) / (sum * squares - xs * xs)
        guard slope.isFinite, slope > 0 else { return self }
        var line = entries
        for index in line.indices {
            line[index].seconds = max(ys / sum + slope * (Double(line[index].level) - xs / sum), 0)
        }
        return LatencyCurve(unchecked: line)
    }

    /// Returns the curve with all seconds multiplied by a factor, and at least 1e-9.
    func scaled(by scale: Double) -> LatencyCurve {
        var scaled = entries
        for index in scaled.indices {
            scaled[index].seconds = max(scaled[index].seconds * scale, 1e-9)
            scaled[index].low = max(scaled[index].low * scale, 1e-9)
            scaled[index].high = max(scaled[index].high * scale, 1e-9)
        }
        return LatencyCurve(unchecked: scaled)
    }
}

/// The second divided differences of a curve.
///
/// They do not change if a straight line is added.
private struct Contrasts {
    /// The variance of each entry's seconds.
    private let variances: [Double]
    /// The distance of each entry from the next entry.
    private let gaps: [Double]
    private let values: [Double]

    /// Creates the differences, with levels and seconds in units of the full component.
    init(_ entries: [LatencyCurve.Entry], unit: LatencyCurve.Entry) {
        // The interval covers 95 % of a normal distribution, that is ±1.96 standard deviations.
        variances = entries.map {
            let deviation = ($0.high - $0.low) / (2 * 1.96) / unit.seconds
            return deviation * deviation
        }
        gaps = zip(entries, entries.dropFirst()).map {
            (Double($0.level) - Double($1.level)) / Double(unit.level)
        }
        let slopes = zip(zip(entries, entries.dropFirst()), gaps).map {
            ($0.1.seconds - $0.0.seconds) / unit.seconds / $1
        }
        values = zip(slopes, slopes.dropFirst()).map { $1 - $0 }
    }

    /// The weights of three neighbours in one contrast.
    private func weights(_ index: Int) -> [Double] {
        let (left, right) = (1 / gaps[index], 1 / gaps[index + 1])
        return [left, -left - right, right]
    }

    /// Returns the log-likelihood of a roughness, and the seconds that it subtracts from each
    /// entry.
    func fit(roughness: Double) -> (likelihood: Double, corrections: [Double]) {
        /// The rows of V's Cholesky factor: the diagonal and the two elements to its left.
        var factor: [[Double]] = []
        var likelihood = 0.0
        var corrections = Array(repeating: 0.0, count: variances.count)
        var solution = values
        for row in values.indices {
            var entries = [0.0, 0, 0]
            for distance in (0...min(2, row)).reversed() {
                var sum = covariance(row, row - distance, roughness: roughness)
                for k in distance + 1..<max(3, distance + 1) where k <= row {
                    let other = distance == 0 ? entries : factor[row - distance]
                    sum -= entries[k] * other[k - distance]
                }
                entries[distance] =
                    distance == 0 ? sum.squareRoot() : sum / factor[row - distance][0]
            }
            guard entries[0] > 0 else { return (-.infinity, corrections) }
            for k in 1..<3 where k <= row { solution[row] -= entries[k] * solution[row - k] }
            solution[row] /= entries[0]
            likelihood -= log(entries[0]) + solution[row] * solution[row] / 2
            factor.append(entries)
        }
        for row in values.indices.reversed() {
            for k in 1..<3 where row + k < values.count {
                solution[row] -= factor[row + k][k] * solution[row + k]
            }
            solution[row] /= factor[row][0]
            for (offset, weight) in weights(row).enumerated() {
                corrections[row + offset] += variances[row + offset] * weight * solution[row]
            }
        }
        return (likelihood, corrections)
    }

    /// Returns the element of `QᵀSQ + τ²R` at a row and a column, where `row - column` is from 0 to
    /// 2.
    private func covariance(_ row: Int, _ column: Int, roughness: Double) -> Double {
        let distance = row - column
        let (ours, theirs) = (weights(row), weights(column))
        let noise = (distance...2).reduce(0) {
            $0 + variances[column + $1] * theirs[$1] * ours[$1 - distance]
        }
        switch distance {
        case 0: return noise + roughness * (gaps[row] + gaps[row + 1]) / 3
        case 1: return noise + roughness * gaps[row] / 6
        default: return noise
        }
    }
}
