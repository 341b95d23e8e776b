/// Commands that load and run one model of a report.
struct LoadingCommands {
    let report: PruneReport
    let result: TargetResult

    /// The shortest command that runs a decoder.
    var generation: String {
        "espalier generate \(Self.shellQuoted(result.path)) --prompt 'Once upon a time'"
    }

    /// Commands of a POSIX shell.
    var shell: String {
        let path = Self.shellQuoted(result.path)
        let dense = Self.shellQuoted(report.model.path)
        let environment = report.environment
        var lines: [String] = []
        if report.model.generatesText { lines.append(generation) }
        lines.append(
            "espalier bench \(path) --against \(dense) --phase \(environment.phase)"
                + " --batch \(environment.batch) --sequence \(environment.sequence)"
                + " --threads \(environment.threads)"
                + (environment.precision == "f32" ? "" : " --precision \(environment.precision)")
                + (environment.runtime == "espalier"
                    ? "" : " --runtime \(Self.shellQuoted(environment.runtime))"))
        lines.append("espalier evaluate \(path) --against \(dense) --text your-text.txt")
        if result.hasFormats {
            lines.append(
                "espalier export \(path) --format huggingface -o "
                    + Self.shellQuoted(pythonPath))
        }
        return lines.joined(separator: "\n")
    }

    /// The directory that `transformers` loads.
    ///
    /// `transformers` cannot read formats, so a model with formats is exported first.
    private var pythonPath: String { result.path + (result.hasFormats ? "-floats" : "") }

    /// A Python program for the `transformers` package.
    var python: String {
        let path = Self.pythonQuoted(pythonPath)
        guard report.model.generatesText else {
            let parts = (report.model.pooling ?? ["mean"]).map(Self.pooled)
            let vectors =
                parts.count == 1 ? parts[0] : "torch.cat([\(parts.joined(separator: ", "))], dim=1)"
            return """
                \(vectors.contains("torch.") ? "import torch\n" : "")\
                from transformers import AutoModel, AutoTokenizer

                path = \(path)
                tokenizer = AutoTokenizer.from_pretrained(path)
                model = AutoModel.from_pretrained(path, trust_remote_code=True)
                inputs = tokenizer(["An espalier is a trained tree."], return_tensors="pt")
                hidden = model(**inputs).last_hidden_state
                vectors = \(vectors)
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

    /// Returns Python code for the vectors of sequences without padding, with a pooling mode of
    /// Sentence Transformers.
    private static func pooled(_ mode: String) -> String {
        switch mode {
        case "cls": "hidden[:, 0]"
        case "lasttoken": "hidden[:, -1]"
        case "max": "hidden.max(dim=1).values"
        case "mean_sqrt_len_tokens": "hidden.sum(dim=1) / hidden.shape[1] ** 0.5"
        case "weightedmean":
            "2 * torch.arange(1.0, hidden.shape[1] + 1) @ hidden / (hidden.shape[1] ** 2 + "
                + "hidden.shape[1])"
        default: "hidden.mean(dim=1)"
        }
    }

    /// Returns a text as one word of a POSIX shell, quoted only if needed.
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

    /// Returns a text as a string literal of Python.
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
