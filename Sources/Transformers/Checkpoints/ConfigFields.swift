internal import ModelFiles

/// Typed, checked access to the members of an object in a JSON file; null counts as absent.
struct ConfigFields {
    let file: String
    /// Leads to the object from the file's top, such as `per_layer_config."5".`; empty at the top.
    var prefix = ""
    let members: [JSONKey: JSONValue]
    /// What the file calls a member.
    var name: (String) -> String = { $0 }

    /// The member of a name, nil where absent or null.
    func value(_ name: String) -> JSONValue? {
        members[JSONKey(self.name(name))].flatMap { $0 == .null ? nil : $0 }
    }

    /// A size from 1 to a limit, nil where absent.
    func optionalSize(_ name: String, upTo limit: Int) throws(ModelFileError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let size = value.integer, 1...limit ~= size else {
            throw fault(name, "it is not an integer from 1 to \(limit)")
        }
        return size
    }

    /// A size from 1 to a limit.
    func size(_ name: String, upTo limit: Int) throws(ModelFileError) -> Int {
        guard let size = try optionalSize(name, upTo: limit) else {
            throw fault(name, "it is missing", remedy: "add it, or use the original config.json")
        }
        return size
    }

    /// A positive number, nil where absent.
    func positive(_ name: String) throws(ModelFileError) -> Double? {
        switch value(name) {
        case nil: return nil
        case .integer(let value) where value > 0: return Double(value)
        case .number(let value) where value > 0: return value
        default: throw fault(name, "it is no positive number")
        }
    }

    /// A boolean, nil where absent.
    func bool(_ name: String) throws(ModelFileError) -> Bool? {
        switch value(name) {
        case nil: return nil
        case .bool(let value): return value
        default: throw fault(name, "it is neither true nor false")
        }
    }

    /// A string, nil where absent.
    func string(_ name: String) throws(ModelFileError) -> String? {
        switch value(name) {
        case nil: return nil
        case .string(let value): return value
        default: throw fault(name, "it is no string")
        }
    }

    /// The members of an object, nil where absent.
    func object(_ name: String) throws(ModelFileError) -> ConfigFields? {
        guard let value = value(name) else { return nil }
        guard let members = value.object else { throw fault(name, "it is no object") }
        return ConfigFields(file: file, prefix: "\(prefix)\(name).", members: members)
    }

    /// Token ids given as one integer or a list; negative ones stand for none.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - ids: What absence stands for.
    /// - Returns: The ids that are not negative.
    /// - Throws: ``ModelFileError`` where it is anything else.
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
        throw fault(name, "it is neither the id of a token nor a list of such")
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
