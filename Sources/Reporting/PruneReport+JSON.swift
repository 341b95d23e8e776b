public import Foundation

extension PruneReport {
    /// The report as JSON, with its keys in alphabetical order.
    ///
    /// - Returns: UTF-8 text that ends with a line break.
    /// - Throws: `EncodingError` if a number is not finite.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// Reads a report from its JSON.
    ///
    /// - Parameter json: What ``json()`` wrote; further keys are ignored.
    /// - Throws: `DecodingError` if a key is missing or has another type.
    public init(json: Data) throws {
        self = try JSONDecoder().decode(PruneReport.self, from: json)
    }
}
