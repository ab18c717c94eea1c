import ConcordCore
import Testing

@Suite struct YAMLNodeTests {
    private func read(_ yaml: String) throws(ConcordError) -> YAMLNode? { try YAMLNode.read(yaml, source: "a.yaml") }

    private func failure(_ yaml: String) throws -> String {
        let error = try #require(throws: ConcordError.self) { try read(yaml) }
        #expect(error.code == .invalidConfiguration)
        return error.message
    }

    @Test func readsValuesAsTheyAreWritten() throws {
        let yaml = """
            # A comment.
            train:
              epochs: 010
              rate: 1e-3
              flag: yes
              empty:
              none: ~
              text: "a: \\u00e9\\n"
              plain: it's 🍎
              block: |
                one
                 two
            list: [a, 'b, c', [d]]
            """
        let node = try #require(try read(yaml))
        #expect(
            shown(node) == """
                {train: {epochs: "010", rate: "1e-3", flag: "yes", empty: "", none: "~", text: "a: é\\n", \
                plain: "it's 🍎", block: "one\\n two\\n"}, list: ["a", "b, c", ["d"]]}
                """)
    }

    /// With every text in quotes.
    private func shown(_ node: YAMLNode) -> String {
        switch node {
        case .scalar(let text): JSONValue.string(text).text()
        case .sequence(let items): "[\(items.map(shown).joined(separator: ", "))]"
        case .mapping(let members):
            "{\(members.map { "\($0.key): \(shown($0.value))" }.joined(separator: ", "))}"
        }
    }

    @Test(arguments: ["", "# nothing\n", "---\n"]) func emptyTextsHaveNoValue(_ yaml: String) throws {
        let node = try read(yaml)
        #expect(node == nil || node == .scalar(""))
    }

    @Test func aliasesStandForTheirAnchors() throws {
        let node = try #require(try read("a: &x [1, 2]\nb: *x\n"))
        #expect(shown(node) == #"{a: ["1", "2"], b: ["1", "2"]}"#)
    }

    @Test func errorsNameTheLine() throws {
        #expect(try failure("a: 1\nb: [1, 2\n").hasPrefix("a.yaml is not valid YAML: line 3, column 1: "))
        #expect(try failure("a: 1\n\tb: 2\n").hasPrefix("a.yaml is not valid YAML: line 2, column 1: "))
        #expect(try failure("a: 1\nb: 2\na: 3\n").contains("line 3: the key \"a\" is at line 1 already"))
        #expect(try failure("a: 1\n? [b]\n: 2\n").contains("line 2: a key must be a plain value"))
        #expect(try failure("a: 1\n---\nb: 2\n").contains("a second document begins at line 3"))
        #expect(try failure("a: 1\n--- [\n").contains("line 3"))
        #expect(try failure("a: \u{1}\n").contains("byte 3"))
        #expect(try failure("a: *b\n").contains("line 1"))
    }

    @Test func littleTextCannotMakeMuchOfItself() throws {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            bomb += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", "))]\n"
        }
        #expect(try failure(bomb).contains("more than 100000 values"))
        #expect(try failure("a: &a [*a]\n").contains("more than 64 lists and mappings"))
        let deep = 80
        #expect(
            try failure(String(repeating: "[", count: deep) + String(repeating: "]", count: deep))
                .contains("more than 64 lists and mappings"))
    }
}
