/// A graph of ONNX operators whose weights are stored in another file in the same directory.
///
/// The graph is built in order: every operator takes existing values and returns new values.
/// Format: github.com/onnx/onnx, onnx.proto, IR version 8.
public struct ONNXGraph: Sendable {
    /// The version of the standard operator set that the graph uses.
    public static let operatorSet = 17

    /// A set of operators.
    public enum Domain: String, Sendable {
        /// The operators of the standard.
        case standard = ""
        /// The operators that ONNX Runtime adds to the standard.
        case onnxRuntime = "com.microsoft"

        /// The version of the set that the graph uses.
        fileprivate var version: Int { self == .standard ? ONNXGraph.operatorSet : 1 }
    }

    /// A tensor in the graph, which is identified by its name.
    public struct Value: Sendable, Hashable {
        /// The name, unique in the graph.
        public let name: String

        /// An optional input that an operator does not get.
        public static let absent = Value(name: "")
    }

    /// The element type of a tensor.
    public enum ElementType: Int, Sendable {
        /// f32.
        case float = 1
        /// Unsigned bytes.
        case uint8 = 2
        /// Signed bytes.
        case int8 = 3
        /// 64-bit integers.
        case int64 = 7
        /// Booleans.
        case bool = 9
        /// f16.
        case float16 = 10
        /// bf16.
        case bfloat16 = 16
    }

    /// A dimension of an input or output.
    public enum Dimension: Sendable {
        /// A fixed size.
        case fixed(Int)
        /// A size that is known only when the graph runs.
        ///
        /// Dimensions with the same name have the same size.
        case named(String)
    }

    /// A constant attribute of an operator.
    public enum Attribute: Sendable {
        /// An integer.
        case integer(Int)
        /// A list of integers.
        case integers([Int])
        /// A float.
        case float(Float)
    }

    /// The location of a tensor's bytes in another file.
    public struct Place: Sendable, Equatable {
        /// The file's name in the directory of the graph.
        public let file: String
        /// The offset of the first byte.
        public let offset: Int
        /// The number of bytes.
        public let length: Int

        /// Creates a location.
        public init(file: String, offset: Int, length: Int) {
            self.file = file
            self.offset = offset
            self.length = length
        }
    }

    private var body = ProtobufMessage()
    private var count = 0
    private var integers: [[Int]: Value] = [:]
    private var domains = [Domain.standard]

    /// Creates an empty graph.
    public init() {}

    /// Adds an input.
    public mutating func input(
        _ name: String, _ type: ElementType, _ dimensions: [Dimension]
    ) -> Value {
        body.add(11, Self.information(name, type, dimensions))
        return Value(name: name)
    }

    /// Makes a value an output with its own name.
    public mutating func output(
        _ value: Value, as name: String, _ type: ElementType, _ dimensions: [Dimension]
    ) {
        add("Identity", [value], to: [name], [:])
        body.add(12, Self.information(name, type, dimensions))
    }

    /// Adds weights whose elements are in another file, in row-major order.
    public mutating func weights(
        _ name: String, _ type: ElementType = .float, shape: [Int], at place: Place
    ) -> Value {
        var tensor = Self.tensor(name, type, shape)
        for (key, value) in [
            ("location", place.file), ("offset", String(place.offset)),
            ("length", String(place.length)),
        ] {
            var entry = ProtobufMessage()
            entry.add(1, key)
            entry.add(2, value)
            tensor.add(13, entry)
        }
        tensor.add(14, 1)
        body.add(5, tensor)
        return Value(name: name)
    }

    /// Adds a constant vector of integers; equal constants are stored once.
    public mutating func constant(_ values: [Int]) -> Value {
        if let known = integers[values] { return known }
        let value = constant(values, .int64, shape: [values.count]) { Int64($0) }
        integers[values] = value
        return value
    }

    /// Adds a constant float.
    public mutating func constant(_ value: Float) -> Value {
        constant([value], .float, shape: []) { $0.bitPattern }
    }

    /// Adds a constant unsigned byte.
    public mutating func constant(byte value: UInt8) -> Value {
        constant([value], .uint8, shape: []) { $0 }
    }

    /// Adds a constant tensor of floats.
    public mutating func constant(_ values: [Float], shape: [Int]) -> Value {
        constant(values, .float, shape: shape) { $0.bitPattern }
    }

    /// Adds an operator with one result.
    ///
    /// - Parameters:
    ///   - operation: The operator's name in the standard, such as `Gemm`.
    ///   - inputs: The inputs, in the operator's order.
    ///   - attributes: The attributes.
    /// - Returns: The result.
    public mutating func apply(
        _ operation: String, _ inputs: Value..., with attributes: [String: Attribute] = [:]
    ) -> Value {
        apply(operation, inputs, results: 1, with: attributes)[0]
    }

    /// Adds an operator with several results, or with a list of inputs.
    public mutating func apply(
        _ operation: String, _ inputs: [Value], results: Int,
        with attributes: [String: Attribute] = [:], in domain: Domain = .standard
    ) -> [Value] {
        let names = (0..<results).map { _ in unique(operation) }
        add(operation, inputs, to: names, attributes, in: domain)
        return names.map(Value.init)
    }

    /// Returns the bytes of a file that contains this graph with a name.
    public func encoded(name: String) -> [UInt8] {
        var graph = body
        graph.add(2, name)
        var model = ProtobufMessage()
        model.add(1, 8)
        model.add(2, "espalier")
        model.add(7, graph)
        for domain in domains {
            var operators = ProtobufMessage()
            if domain != .standard { operators.add(1, domain.rawValue) }
            operators.add(2, domain.version)
            model.add(8, operators)
        }
        return model.bytes
    }

    private mutating func unique(_ stem: String) -> String {
        count += 1
        return "\(stem)_\(count)"
    }

    private mutating func add(
        _ operation: String, _ inputs: [Value], to outputs: [String],
        _ attributes: [String: Attribute], in domain: Domain = .standard
    ) {
        var node = ProtobufMessage()
        for input in inputs { node.add(1, input.name) }
        for output in outputs { node.add(2, output) }
        node.add(3, outputs[0])
        node.add(4, operation)
        for (name, attribute) in attributes.sorted(by: { $0.key < $1.key }) {
            node.add(5, attribute.message(named: name))
        }
        if domain != .standard {
            node.add(7, domain.rawValue)
            if !domains.contains(domain) { domains.append(domain) }
        }
        body.add(1, node)
    }

    private mutating func constant<Number, Stored: FixedWidthInteger>(
        _ values: [Number], _ type: ElementType, shape: [Int], _ stored: (Number) -> Stored
    ) -> Value {
        let name = unique("constant")
        var tensor = Self.tensor(name, type, shape)
        tensor.add(
            9,
            bytes: values.flatMap { value in
                let bits = stored(value)
                return (0..<Stored.bitWidth / 8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
            })
        body.add(5, tensor)
        return Value(name: name)
    }

    private static func tensor(
        _ name: String, _ type: ElementType, _ shape: [Int]
    ) -> ProtobufMessage {
        var tensor = ProtobufMessage()
        for size in shape { tensor.add(1, size) }
        tensor.add(2, type.rawValue)
        tensor.add(8, name)
        return tensor
    }

    private static func information(
        _ name: String, _ type: ElementType, _ dimensions: [Dimension]
    ) -> ProtobufMessage {
        var shape = ProtobufMessage()
        for dimension in dimensions {
            var message = ProtobufMessage()
            switch dimension {
            case .fixed(let size): message.add(1, size)
            case .named(let name): message.add(2, name)
            }
            shape.add(1, message)
        }
        var tensor = ProtobufMessage()
        tensor.add(1, type.rawValue)
        tensor.add(2, shape)
        var whole = ProtobufMessage()
        whole.add(1, tensor)
        var information = ProtobufMessage()
        information.add(1, name)
        information.add(2, whole)
        return information
    }
}

extension ONNXGraph.Attribute {
    fileprivate func message(named name: String) -> ProtobufMessage {
        var message = ProtobufMessage()
        message.add(1, name)
        switch self {
        case .float(let value):
            message.add(2, value)
            message.add(20, 1)
        case .integer(let value):
            message.add(3, value)
            message.add(20, 2)
        case .integers(let values):
            for value in values { message.add(8, value) }
            message.add(20, 7)
        }
        return message
    }
}
