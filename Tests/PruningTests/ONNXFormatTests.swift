import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

/// The operators and the weights of a graph in a file.
private struct ReadGraph {
    struct Node {
        let operation: String
        let domain: String
        let inputs: [String]
        let outputs: [String]
        let integers: [String: [Int]]
    }

    struct Weights {
        let type: Int
        let shape: [Int]
        let file: String
        let bytes: Range<Int>
    }

    /// The versions of sets of operators, by domain.
    let domains: [String: Int]
    let nodes: [Node]
    /// The weights in other files, by name.
    let weights: [String: Weights]

    init(_ path: String) throws {
        let model = try ProtobufFields(Array(Data(contentsOf: URL(fileURLWithPath: path))))
        domains = try Dictionary(
            uniqueKeysWithValues: model.messages(8).map {
                ($0.texts(1).first ?? "", $0.numbers(2)[0])
            })
        let graph = try model.messages(7)[0]
        nodes = try graph.messages(1).map { node in
            Node(
                operation: node.texts(4)[0], domain: node.texts(7).first ?? "",
                inputs: node.texts(1), outputs: node.texts(2),
                integers: Dictionary(
                    uniqueKeysWithValues: try node.messages(5).map {
                        ($0.texts(1)[0], $0.numbers(3) + $0.numbers(8))
                    }))
        }
        weights = try Dictionary(
            uniqueKeysWithValues: graph.messages(5).filter { $0[13] != [] }.map { tensor in
                let place = try Dictionary(
                    uniqueKeysWithValues: tensor.messages(13).map {
                        ($0.texts(1)[0], $0.texts(2)[0])
                    })
                let start = try #require(Int(place["offset"] ?? ""))
                let length = try #require(Int(place["length"] ?? ""))
                return (
                    tensor.texts(8)[0],
                    Weights(
                        type: tensor.numbers(2)[0], shape: tensor.numbers(1),
                        file: try #require(place["location"]), bytes: start..<start + length)
                )
            })
    }

    func readers(of value: String) -> [Node] { nodes.filter { $0.inputs.contains(value) } }

    func count(_ operation: String) -> Int { nodes.count { $0.operation == operation } }
}

/// A model with matrices in several formats, in a directory with its graph.
private struct FormattedDirectory {
    let path: String
    let formats: Formats
    let shape: ModelShape
    let file: SafetensorsFile
    let graph: ReadGraph
    let data: [UInt8]

    /// Writes random weights of a tiny model's architecture, in sizes that fill groups of 4 bits.
    ///
    /// Of the families with this architecture, the first one gives the names. If its class has more
    /// biases than the tiny model, they are zeros.
    init(_ name: String, head: Precision, in scratch: Scratch) throws {
        var shape = try Checkpoint(TinyModel.path(name)).shape
        (shape.hiddenSize, shape.headDimension, shape.rotaryDimension) = (64, 32, nil)
        for layer in shape.layers.indices {
            shape.layers[layer].feedForward = 32 * (layer + 1)
        }
        var formats = Formats(uniform: .f32, layers: shape.layers.count)
        formats.layers[0] = .init(attention: .int4, feedForward: .int8)
        formats.layers[1] = .init(attention: .int8, feedForward: .int4)
        if shape.layers.count > 2 { formats.layers[2] = .init(attention: .f16, feedForward: .bf16) }
        formats.head = head
        let family = Family(of: shape.architecture)
        path = scratch.path(name + head.rawValue)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        try WeightsFile.write(
            FormattedWeights(RandomWeights(shape: shape), formats: formats),
            names: family.tensorNames, of: family, to: path, formats: formats)
        try ONNXModel.write(shape, in: path, names: family.tensorNames)
        (self.shape, self.formats) = (shape, formats)
        file = try SafetensorsFile(path: path)
        graph = try ReadGraph(path + "/model.onnx")
        data = Array(try Data(contentsOf: URL(fileURLWithPath: path + "/model.onnx.data")))
    }

    /// The names of the tensors that are read in a type.
    func names(_ type: DType) -> [String] {
        let tensors = IntegerTensors(file)
        return tensors.names.filter { tensors.type(of: $0) == type }
    }
}

@Suite("Formats in ONNX graphs")
struct ONNXFormatTests {
    /// A model of each family.
    private static let names = [
        "tiny-bert", "tiny-roberta", "tiny-distilbert", "tiny-mpnet", "tiny-llama", "tiny-mistral",
        "tiny-qwen2", "tiny-qwen3", "tiny-gpt2", "tiny-opt", "tiny-stablelm", "tiny-granite",
        "tiny-phi3", "tiny-smollm3", "tiny-gemma3_text", "tiny-gemma2", "tiny-bloom",
    ]

    @Test("matrices in 4 bits have their codes and scales in a file of their own", arguments: names)
    func int4(name: String) throws {
        let scratch = try Scratch()
        let directory = try FormattedDirectory(name, head: .int8, in: scratch)
        let graph = directory.graph
        #expect(graph.domains == ["": 17, "com.microsoft": 1])
        var ends: [Int: Int] = [:]
        for name in directory.names(.q40) {
            let matrix = try IntegerTensors(directory.file).matrix(name)
            let node = try #require(graph.readers(of: name).first)
            #expect(graph.readers(of: name).count == 1)
            #expect(node.operation == "MatMulNBits" && node.domain == "com.microsoft")
            #expect(
                node.integers == [
                    "K": [matrix.columns], "N": [matrix.rows], "bits": [4], "block_size": [32],
                ])
            #expect(Array(node.inputs[1...2]) == [name, name + "_scale"])
            let bias = name.dropLast("weight".count) + "bias"
            let hasBias = directory.file.shape(of: String(bias)) != nil
            #expect(node.inputs[3...] == (hasBias ? ["", "", String(bias)] : [])[...])

            let codes = try #require(graph.weights[name])
            let scales = try #require(graph.weights[name + "_scale"])
            #expect(codes.type == 2 && codes.shape == [matrix.rows, matrix.columns / 32, 16])
            #expect(scales.type == 1 && scales.shape == [matrix.rows, matrix.columns / 32])
            for weights in [codes, scales] {
                #expect(weights.file == "model.onnx.data")
                ends[weights.bytes.lowerBound] = weights.bytes.upperBound
            }
            #expect(decoded(directory.data, codes, scales) == matrix.elements)
            #expect(matrix.elements.contains { $0 != 0 })
        }
        #expect(graph.count("MatMulNBits") == ends.count / 2 && !ends.isEmpty)
        // The tensors fill the file without gaps.
        var end = 0
        for _ in ends { end = try #require(ends[end]) }
        #expect(end == directory.data.count)
    }

    @Test("a token embedding in 4 bits shares the matrix of the output head")
    func sharedHead() throws {
        let scratch = try Scratch()
        let directory = try FormattedDirectory("tiny-llama", head: .int4, in: scratch)
        let name = Family(of: directory.shape.architecture).tensorNames.tokens + ".weight"
        for tensor in [name, name + "_scale"] {
            let readers = directory.graph.readers(of: tensor).map(\.operation)
            #expect(readers.sorted() == ["Gather", "MatMulNBits"])
        }
    }

    /// The elements of a matrix by the definition of `MatMulNBits`.
    private func decoded(
        _ data: [UInt8], _ codes: ReadGraph.Weights, _ scales: ReadGraph.Weights
    ) -> [Float] {
        let factors = DType.f32.floats(from: Array(data[scales.bytes]).span.bytes)
        return data[codes.bytes].enumerated().flatMap { index, pair in
            [pair & 15, pair >> 4].map { (Float($0) - 8) * factors[index / 16] }
        }
    }

    @Test("matrices in 8 bits are multiplied as integers from the model's file", arguments: names)
    func int8(name: String) throws {
        let scratch = try Scratch()
        let directory = try FormattedDirectory(name, head: .int8, in: scratch)
        let graph = directory.graph
        let table = Family(of: directory.shape.architecture).tensorNames.tokens + ".weight"
        // The token embedding of an encoder is not multiplied.
        let hasHead = directory.shape.architecture.isCausal
        if !hasHead {
            try expectStored(table, 3, directory)
            #expect(graph.readers(of: table).map(\.operation) == ["Gather"])
            #expect(graph.readers(of: table + "_scale").map(\.operation) == ["Gather"])
        }
        let names = directory.names(.i8).filter { hasHead || $0 != table }
        for name in names {
            try expectStored(name, 3, directory)
            try expectStored(name + "_scale", 1, directory)
            let transposes = graph.readers(of: name).filter { $0.operation == "Transpose" }
            let transpose = try #require(transposes.first)
            #expect(transposes.count == 1 && transpose.integers["perm"] == [1, 0])
            // The codes are shifted to unsigned bytes before the product.
            var product = transpose
            for operation in ["Cast", "Add", "Cast", "MatMulInteger"] {
                product = try #require(graph.readers(of: product.outputs[0]).first)
                #expect(product.operation == operation)
            }
            #expect(product.inputs.count == 4)
            let rounded = try #require(graph.nodes.first { $0.outputs.contains(product.inputs[0]) })
            #expect(rounded.operation == "DynamicQuantizeLinear")
            #expect(rounded.outputs[0] == product.inputs[0])
            #expect(rounded.outputs[2] == product.inputs[2])
            let scaled = graph.readers(of: name + "_scale").filter { $0.operation == "Mul" }
            #expect(scaled.map(\.inputs) == [[rounded.outputs[1], name + "_scale"]])
            let gathers = graph.readers(of: name).filter { $0.operation == "Gather" }
            #expect(gathers.count == (name == table ? 1 : 0))
        }
        #expect(graph.count("MatMulInteger") == names.count && names.count >= 4)
        // Projections with the same input share the rounded input. Both components in 8 bits have
        // two inputs.
        #expect(graph.count("DynamicQuantizeLinear") == (hasHead ? 5 : 4))
        #expect(names.contains(table) == directory.shape.tiedHead)
    }

    @Test(
        "matrices of 16-bit floats are converted when the graph is loaded", arguments: names,
        [Precision.f16, .bf16])
    func halves(name: String, head: Precision) throws {
        let scratch = try Scratch()
        let directory = try FormattedDirectory(name, head: head, in: scratch)
        let graph = directory.graph
        for (type, element) in [(DType.f16, 10), (.bf16, 16)] {
            for name in directory.names(type) {
                try expectStored(name, element, directory)
                let readers = graph.readers(of: name)
                #expect(Set(readers.map(\.operation)).isSubset(of: ["Cast", "Gather"]))
                let cast = try #require(readers.first { $0.operation == "Cast" })
                #expect(cast.integers == ["to": [1]])
                #expect(graph.readers(of: cast.outputs[0]).map(\.operation) == ["Gemm"])
            }
        }
        let hasHalves = directory.shape.layers.count > 2 || directory.shape.architecture.isCausal
        #expect((directory.names(.f16) + directory.names(.bf16)).isEmpty != hasHalves)
    }

    /// Expects that a tensor of the graph is a tensor of the model's file.
    private func expectStored(
        _ name: String, _ type: Int, _ directory: FormattedDirectory
    ) throws {
        let (weights, place) = (
            try #require(directory.graph.weights[name]), try directory.file.place(of: name)
        )
        #expect(weights.type == type && weights.shape == directory.file.shape(of: name))
        #expect(weights.file == "espalier.safetensors" && weights.bytes == place.bytes)
    }

    @Test("a graph of floats has no operators of ONNX Runtime and no file of its own")
    func floats() throws {
        let (scratch, dense) = (try Scratch(), try Checkpoint(TinyModel.path("tiny-llama")))
        let path = scratch.path("model")
        try HuggingFaceDirectory.write(dense, like: dense, to: path)
        let graph = try ReadGraph(path + "/model.onnx")
        #expect(graph.domains == ["": 17] && graph.nodes.allSatisfy { $0.domain.isEmpty })
        #expect(graph.weights.values.allSatisfy { $0.file == "model.safetensors" })
        #expect(!FileManager.default.fileExists(atPath: path + "/model.onnx.data"))
    }
}
