import Foundation
import Testing

@testable import Tokenizers

@Suite("Chat templates")
struct ChatTemplateTests {
    /// Templates and the texts that jinja2 renders; nil if jinja2 gives an error.
    private struct Golden: Decodable {
        struct Message: Decodable {
            let role: String
            let content: String
        }

        struct Case: Decodable {
            let name: String
            let template: String
            let texts: [String: String?]
        }

        let now: Double
        let tokens: [String: String]
        let conversations: [String: [Message]]
        let cases: [Case]
    }

    private let golden: Golden

    init() throws {
        golden = try JSONDecoder().decode(Golden.self, from: try fixture("chat.json"))
        setenv("TZ", "UTC", 1)
    }

    private func render(_ template: String, _ conversation: String) throws -> String {
        let parts = conversation.split(separator: ",")
        let messages = try #require(golden.conversations[String(parts[0])])
        return try ChatTemplate(template).render(
            messages.map { ChatMessage(role: $0.role, content: $0.content) },
            specialTokens: golden.tokens, addingGenerationPrompt: parts.count == 1,
            date: Date(timeIntervalSince1970: golden.now))
    }

    @Test("a template gives the text or the error of jinja2")
    func reference() throws {
        #expect(golden.cases.count > 70)
        for one in golden.cases {
            for (conversation, text) in one.texts {
                if let text {
                    #expect(throws: Never.self, "\(one.name), \(conversation)") {
                        let rendered = try render(one.template, conversation)
                        #expect(rendered == text, "\(one.name): \(one.template)")
                    }
                } else {
                    #expect(
                        throws: ChatTemplateError.self, "\(one.name), \(conversation)"
                    ) { try render(one.template, conversation) }
                }
            }
        }
    }

    @Test(
        "the error for an unsupported construct names it and its line",
        arguments: [
            ("\n{% include 'x' %}", "line 2: the tag {% include %}"),
            ("{% call f() %}{% endcall %}", "the tag {% call %}"),
            ("a\n\n{{ 'a' | nosuch }}", "line 3: the filter 'nosuch'"),
            ("{{ 1 is nosuch }}", "the test 'nosuch'"), ("{{ nosuch(1) }}", "'nosuch'"),
            ("{{ 'a'.format(1) }}", "the method 'format' of a string"),
            ("{{ '%s' % 1 }}", "formatting with %"), ("{{ 2 ** 3 }}", "'**'"),
            ("{% set a, b = 1, 2 %}", "several names"),
            ("{{ raise_exception('Only\u{1b}[31m users') }}", "Only\\u{1B}[31m users"),
        ])
    func unsupported(template: String, problem: String) throws {
        let error = #expect(throws: ChatTemplateError.self) { try render(template, "user") }
        let text = try #require(error).description
        #expect(text.contains(problem), "\(text)")
        #expect(text.hasPrefix("chat_template, line ") && text.contains("--chat"))
    }

    @Test("an unsupported construct that is not reached gives no error")
    func unreached() throws {
        #expect(try render("{% if tools %}{{ tools | nosuch }}{% endif %}a", "user") == "a")
    }

    @Test(
        "endless or huge templates give an error",
        arguments: [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{{ range(99999999) }}", "{{ 'a' * 99999999 }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% set n = namespace(t='abcdefgh') %}{% for i in range(99) %}"
                + "{% set n.t = n.t + n.t %}{% endfor %}",
            "{% for i in range(99999) %}{{ 'abcdefgh' * 100000 }}{% endfor %}",
            "{{ " + String(repeating: "(", count: 9999) + "1" + String(repeating: ")", count: 9999)
                + " }}",
            "{{ " + String(repeating: "-", count: 9999) + "1 }}",
            "{{ 1" + String(repeating: " + 1", count: 9999) + " }}",
            "{{ messages" + String(repeating: "[0]", count: 9999) + " }}",
            String(repeating: "{% if true %}", count: 9999),
        ])
    func bounded(template: String) {
        #expect(throws: ChatTemplateError.self) { try render(template, "user") }
    }

    @Test("every prefix of a template renders or gives an error")
    func cut() throws {
        let template = try #require(golden.cases.first { $0.name == "as qwen 3" }).template
        for length in stride(from: 0, to: template.count, by: 7) {
            do {
                _ = try render(String(template.prefix(length)), "long")
            } catch is ChatTemplateError {}
        }
    }
}
