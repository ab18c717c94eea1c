import ConcordCore
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// `concord export`, by the program.
@Suite struct ExportRunTests {
    private func withModel(_ body: (_ folder: String, _ model: String) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 1)
            let settings = [
                "model.kind=coca", "model.pooler.queries=5", "model.pooler.heads=2", "model.decoder.layers=1",
                "model.decoder.heads=2",
            ]
            let result = try Program.run(
                ["train", folder + "/recipe.yaml", "--output", folder + "/run"] + settings.flatMap { ["--set", $0] },
                in: folder)
            try #require(result.status == 0, "\(result.errors)")
            try body(folder, folder + "/run")
        }
    }

    @Test func aTrainedModelIsExported() throws {
        try withModel { folder, model in
            let output = folder + "/artifacts"
            let arguments = ["export", "--model", model, "--output", output, "--data", folder]
            let first = try Program.run(arguments + ["--json"], in: folder)
            try #require(first.status == 0, "\(first.errors)")
            let line = try JSONValue(parsing: Array(first.output.utf8), source: "output")
            #expect(line["output"]?.string == output && line["name"]?.string == "run")
            // All 32 pictures, but one fewer for the canary; and the captions of all.
            #expect(line["parity"]?["image"]?["pictures"]?.int == 32)
            #expect(line["parity"]?["text"]?["texts"]?.int == 33)
            #expect(line["parity"]?["different_tokens"]?.int == 0)
            let manifest = try ArtifactManifest(folder: output)
            #expect(manifest.graphs.count == 4 && manifest.tool.hasPrefix("concord "))
            let bytes = try manifest.hashes.keys.reduce(into: 0) { sum, name in
                sum += try Files.read(output + "/" + name).count
            }
            #expect((line["bytes"]?.int ?? 0) >= bytes && bytes > 0)

            let again = try Program.run(arguments, in: folder)
            #expect(again.status == 1 && again.errors.contains("--force"), "\(again.errors)")
            let forced = try Program.run(arguments + ["--force", "--plain-operations", "--name", "tiny"], in: folder)
            #expect(forced.status == 0 && forced.output.contains(output), "\(forced.errors)")
            #expect(try ArtifactManifest(folder: output).name == "tiny")
            let triton = try Program.run(
                ["export", "--model", model, "--output", folder + "/triton", "--format", "triton"], in: folder)
            #expect(triton.status == 0 && Files.exists(folder + "/triton/text/config.pbtxt"), "\(triton.errors)")
        }
    }

    @Test(arguments: ["int8-weights", "int8"]) func aModelIsQuantized(_ precision: String) throws {
        try withModel { folder, model in
            let output = folder + "/artifacts"
            let arguments = ["export", "--model", model, "--output", output, "--quantize", precision]
            if precision == "int8" {
                let refused = try Program.run(arguments, in: folder)
                #expect(refused.status == 1 && refused.errors.contains("--data"), "\(refused.errors)")
                #expect(!Files.exists(output))
            }
            let result = try Program.run(arguments + ["--data", folder], in: folder)
            try #require(result.status == 0, "\(result.errors)")
            #expect(try ArtifactManifest(folder: output).precision.rawValue == precision)
            let path = output + "/report.json", report = try JSONValue(parsing: Files.read(path), source: path)
            let quantization = try #require(report["quantization"])
            let graph = try #require(quantization["graphs"]?["caption_step"])
            #expect(try #require(graph["after"]?["mean_cosine"]?.double) >= 0.995)
            #expect(try #require(quantization["ratio"]?.double) > 1)
            let recall = try #require(quantization["recall_at_1"])
            #expect(
                try #require(recall["quantized"]?.double) >= #require(recall["float32"]?.double) - 0.005)
            #expect(try #require(quantization["speed"]?["text"]?["float32_milliseconds"]?.double) > 0)

            // The page has a bar for each layer, in charts that any reader of XML takes.
            let page = try String(contentsOfFile: output + "/report.html", encoding: .utf8)
            let charts = page.components(separatedBy: "<svg").dropFirst().map {
                "<svg" + ($0.components(separatedBy: "</svg>").first ?? "") + "</svg>"
            }
            #expect(!charts.isEmpty && charts.allSatisfy { XMLParser(data: Data($0.utf8)).parse() })
            let layers = (quantization["graphs"]?.members ?? []).flatMap { $0.value["layers"]?.elements ?? [] }
            let bars = charts.filter { $0.contains("signal-to-noise") }.joined()
            #expect(!layers.isEmpty && bars.components(separatedBy: "<rect class=\"bar\"").count - 1 == layers.count)
            #expect(layers.allSatisfy { $0["signal_to_noise_db"] != nil })
            #expect(page.contains("R@1"))

            // All that was announced was run, however often graphs had to be tried.
            let counts = result.errors.split(separator: "\n").filter { $0.hasPrefix("quantizing ") }.compactMap {
                $0.split(separator: " ").dropFirst().first?.split(separator: "/")
            }
            #expect(counts.count >= 2 && counts.first?.first == "0", "\(result.errors)")
            #expect(counts.last?.count == 2 && counts.last?.first == counts.last?.last, "\(result.errors)")
        }
    }

    @Test(arguments: [
        (["--output", "x", "--format", "tensorrt"], Int32(64), "tensorrt"),
        (["--output", "x", "--data", "nowhere"], 1, "nowhere"), ([], 64, "--output"),
    ]) func impossibleOptionsAreRefused(_ options: [String], _ status: Int32, _ text: String) throws {
        try withTemporaryFolder { folder in
            _ = try ModelFolders.copy("huggingface-clip", to: folder + "/model")
            let arguments = options.map { $0 == "x" ? folder + "/x" : $0 }
            let result = try Program.run(["export", "--model", folder + "/model"] + arguments, in: folder)
            #expect(result.status == status && result.errors.contains(text), "\(result.errors)")
            #expect(!Files.exists(folder + "/x"))
        }
    }
}
