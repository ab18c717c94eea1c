import ConcordCheckpoint
import ConcordCore
import Testing

@Suite struct KeyReportTests {
    private let expected: [KeyReport.Key] = [
        .init("text.layers.0.q_proj.weight", [8, 8]), .init("text.layers.0.q_proj.bias", [8]),
        .init("visual_projection.weight", [4, 12]), .init("logit_scale", []),
    ]

    @Test func anExactCheckpointPasses() throws {
        let old = KeyReport.Key("text.embeddings.position_ids", [1, 77])
        let report = KeyReport(expected: expected, found: expected.reversed() + [old])
        #expect(report.isExact)
        #expect(report.ignored == [old])
        try report.throwIfAny("model")
    }

    @Test func listsEveryDifferenceAtOnce() throws {
        let found: [KeyReport.Key] = [
            .init("text.layers.0.q_prj.weight", [8, 8]), .init("visual_projection.weight", [12, 4]),
            .init("logit_scale", []), .init("extra", [8]), .init("text.layers.0.q_prj.scale", [4]),
        ]
        let report = KeyReport(expected: expected, found: found)
        #expect(report.missing == Array(expected[0...1]))
        #expect(report.unexpected == [found[0], found[3], found[4]])
        #expect(report.mismatched.map(\.name) == ["visual_projection.weight"])
        // Near in name and of the same shape; `bias` has neither.
        #expect(report.suggestion(for: expected[0]) == "text.layers.0.q_prj.weight")
        #expect(report.suggestion(for: expected[1]) == nil)
        let error = #expect(throws: ConcordError.self) { try report.throwIfAny("runs/x") }
        #expect(
            error?.message == """
                the tensors of runs/x do not fit the model: 2 missing, 3 unexpected, 1 mismatched
                missing:
                  text.layers.0.q_proj.weight [8, 8] (did the file mean it by `text.layers.0.q_prj.weight`?)
                  text.layers.0.q_proj.bias [8]
                unexpected:
                  text.layers.0.q_prj.weight [8, 8]
                  extra [8]
                  text.layers.0.q_prj.scale [4]
                mismatched:
                  visual_projection.weight: the model has [4, 12], the file [12, 4]
                check that the configuration belongs to these weights
                """)
    }

    @Test func capsTheLinesOfAWhollyDifferentModel() {
        let wanted = (0..<600).map { KeyReport.Key("vision_model.encoder.layers.\($0).self_attn.q_proj.weight", [8]) }
        let found = (0..<600).map { KeyReport.Key("visual.transformer.resblocks.\($0).attn.in_proj_weight", [8]) }
        let error = #expect(throws: ConcordError.self) {
            try KeyReport(expected: wanted, found: found).throwIfAny("model")
        }
        // A summary, two kinds with a title, forty names and a count each, and advice.
        let lines = error?.message.split(separator: "\n").count
        #expect(lines == 86)
        #expect(error?.message.contains("… and 560 more") == true)
    }

    @Test(arguments: [
        ("*", "", true), ("*", "anything.at.all", true), ("", "", true), ("", "a", false), ("a", "a", true),
        ("*.position_ids", "text_model.embeddings.position_ids", true), ("*.position_ids", "position_ids", false),
        ("text_model.*", "text_model.x.y", true), ("text_model.*", "vision_model.text_model.x", false),
        ("*.layers.*.bias", "a.layers.3.fc.bias", true), ("*.layers.*.bias", "a.layers.bias", false),
        ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXbYbZ", false), ("a**", "a", true), ("é*", "é", true),
    ])
    func patterns(_ pattern: String, _ name: String, _ matches: Bool) {
        #expect(NamePattern(pattern).matches(name) == matches)
    }
}
