internal import ModelFiles

/// Typed, checked access to the members of an object in a JSON file.
///
/// A member that is null is treated as absent, except by ``tokens(_:default:)``.
struct ConfigFields {
    let file: String
    /// The path to the object from the top level of the file, such as `per_layer_config.5.`.
    ///
    /// It is empty at the top level.
    var prefix = ""
    let members: [JSONKey: JSONValue]
    /// Maps the name that most families use for a member to its name in the file.
    var name: (String) -> String = { $0 }

    /// The member with a name; nil if it is absent or null.
    func value(_ name: String) -> JSONValue? {
        members[JSONKey(self.name(name))].flatMap { $0 == .null ? nil : $0 }
    }

    /// An integer from 1 to a limit; nil if it is absent.
    func optionalSize(_ name: String, upTo limit: Int) throws(ModelFileError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let size = value.integer, 1...limit ~= size else {
            throw fault(name, "it is not an integer from 1 to \(limit)")
        }
        return size
    }

    /// An integer from 1 to a limit, which must be present.
    func size(_ name: String, upTo limit: Int) throws(ModelFileError) -> Int {
        guard let size = try optionalSize(name, upTo: limit) else {
            throw fault(name, "it is missing", remedy: "add it, or use the original config.json")
        }
        return size
    }

    /// A positive number; nil if it is absent.
    func positive(_ name: String) throws(ModelFileError) -> Double? {
        switch value(name) {
        case nil: return nil
        case .integer(let value) where value > 0: return Double(value)
        case .number(let value) where value > 0: return value
        default: throw fault(name, "it is not a positive number")
        }
    }

    /// A boolean; nil if it is absent.
    func bool(_ name: String) throws(ModelFileError) -> Bool? {
        switch value(name) {
        case nil: return nil
        case .bool(let value): return value
        default: throw fault(name, "it is neither true nor false")
        }
    }

    /// A string; nil if it is absent.
    func string(_ name: String) throws(ModelFileError) -> String? {
        switch value(name) {
        case nil: return nil
        case .string(let value): return value
        default: throw fault(name, "it is not a string")
        }
    }

    /// The members of an object; nil if it is absent.
    func object(_ name: String) throws(ModelFileError) -> ConfigFields? {
        guard let value = value(name) else { return nil }
        guard let members = value.object else { throw fault(name, "it is not an object") }
        return ConfigFields(file: file, prefix: "\(prefix)\(name).", members: members)
    }

    /// Token ids, which are one integer or a list.
    ///
    /// Negative ids are ignored. If the member is null, there are none.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - ids: The ids if the member is absent.
    /// - Returns: The ids.
    /// - Throws: ``ModelFileError`` if the member has another type.
    func tokens(_ name: String, default ids: [Int]) throws(ModelFileError) -> [Int] {
        switch members[JSONKey(self.name(name))] {
        case nil: return ids
        case .null: return []
        case .integer(let id) where id < HuggingFaceConfig.Limit.table:
            return [id].filter { $0 >= 0 }
        case .array(let values):
            let ids = values.compactMap(\.integer).filter { $0 < HuggingFaceConfig.Limit.table }
            guard ids.count == values.count else { break }
            return ids.filter { $0 >= 0 }
        default: break
        }
        throw fault(name, "it is neither a token id nor a list of token ids")
    }

    /// An error about a member.
    func fault(
        _ name: String, _ problem: String, remedy: String = "use the model's original config.json"
    ) -> ModelFileError {
        let name = self.name(name)
        let seen = members[JSONKey(name)].map { " (it is \($0.excerpt))" } ?? ""
        return ModelFileError(
            file: file, subject: "field \(prefix)\(name)", problem: problem + seen, remedy: remedy)
    }
}
