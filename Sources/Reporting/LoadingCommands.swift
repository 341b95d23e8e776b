/// Commands that work when pasted, for one model of a report.
struct LoadingCommands {
    let report: PruneReport
    let result: TargetResult

    /// Commands of a POSIX shell.
    var shell: String {
        let path = Self.shellQuoted(result.path)
        let dense = Self.shellQuoted(report.model.path)
        let environment = report.environment
        var lines: [String] = []
        if report.model.generatesText {
            lines.append("espalier generate \(path) --prompt 'Once upon a time'")
        }
        lines.append(
            "espalier bench \(path) --against \(dense) --phase \(environment.phase)"
                + " --batch \(environment.batch) --sequence \(environment.sequence)"
                + " --threads \(environment.threads)"
                + (environment.precision == "f32" ? "" : " --precision \(environment.precision)")
                + (environment.runtime == "espalier"
                    ? "" : " --runtime \(Self.shellQuoted(environment.runtime))"))
        lines.append("espalier evaluate \(path) --against \(dense) --text your-text.txt")
        return lines.joined(separator: "\n")
    }

    /// A Python program for the `transformers` package.
    var python: String {
        let path = Self.pythonQuoted(result.path)
        guard report.model.generatesText else {
            return """
                from transformers import AutoModel, AutoTokenizer

                path = \(path)
                tokenizer = AutoTokenizer.from_pretrained(path)
                model = AutoModel.from_pretrained(path, trust_remote_code=True)
                inputs = tokenizer(["An espalier is a trained tree."], return_tensors="pt")
                vectors = model(**inputs).last_hidden_state.mean(dim=1)
                print(vectors.shape)
                """
        }
        return """
            from transformers import AutoModelForCausalLM, AutoTokenizer

            path = \(path)
            tokenizer = AutoTokenizer.from_pretrained(path)
            model = AutoModelForCausalLM.from_pretrained(path, trust_remote_code=True)
            inputs = tokenizer("Once upon a time", return_tensors="pt")
            print(tokenizer.decode(model.generate(**inputs, max_new_tokens=40)[0]))
            """
    }

    /// A text as one word of a POSIX shell, quoted only where it must be.
    static func shellQuoted(_ text: String) -> String {
        let plain = text.unicodeScalars.allSatisfy {
            $0.isASCII
                && ($0.properties.isAlphabetic || "0123456789/._-+@%,:".unicodeScalars.contains($0))
        }
        guard !plain || text.isEmpty || text.hasPrefix("-") else { return text }
        let path = text.hasPrefix("-") ? "./" + text : text
        return "'"
            + path.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }

    /// A text as a string literal of Python.
    static func pythonQuoted(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "\"") { result, scalar in
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        } + "\""
    }
}
