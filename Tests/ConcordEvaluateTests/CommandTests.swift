import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

/// What the commands print and write, on a model trained on tiny data.
@Suite struct CommandTests {
    private func withModel(_ body: (_ folder: String, _ model: String) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 2), model = folder + "/run"
            let result = try Program.run(["train", recipe, "--output", model], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            try body(folder, model)
        }
    }

    private func json(_ arguments: [String], in folder: String) throws -> JSONValue {
        let result = try Program.run(arguments, in: folder)
        #expect(result.status == 0, "\(result.errors)")
        return try JSONValue(parsing: result.output)
    }

    @Test func jsonHasTheDocumentedShape() throws {
        try withModel { folder, model in
            let evaluation = try json(["evaluate", "--model", model, "--data", folder, "--json"], in: folder)
            for direction in ["text_to_image", "image_to_text"] {
                let names = evaluation[direction]?.members?.map(\.name)
                #expect(names == ["recall@1", "recall@5", "recall@10", "median_rank"])
            }
            #expect(evaluation["queries"]?.int == 32 && evaluation["gallery"]?.int == 32)

            let search = try json(
                ["search", "--model", model, "--data", folder, "--text", "a red square", "--top", "3", "--json"],
                in: folder)
            let results = try #require(search["results"]?.elements)
            #expect(results.count == 3)
            let scores = results.compactMap { $0["score"]?.double }
            #expect(scores == scores.sorted(by: >) && scores.count == 3)
            #expect(results[0].members?.map(\.name) == ["image", "score", "caption"])

            // A picture of the data set finds itself first.
            let image = try json(
                [
                    "search", "--model", model, "--data", folder, "--image", folder + "/images/red-white.png", "--json",
                    "--html", folder + "/page.html",
                ], in: folder)
            #expect(image["results"]?.elements?.first?["image"]?.string == "images/red-white.png")
            #expect(Files.exists(folder + "/page.html"))

            let tokens = try json(["tokenize", "--model", model, "--text", "a red", "blue", "--json"], in: folder)
            let ids = try #require(tokens["ids"]?.elements)
            #expect(ids.count == 2 && ids[0].elements?.first == ids[1].elements?.first)
        }
    }

    @Test func embeddingsAreUnitVectorsInInputOrder() throws {
        try withModel { folder, model in
            let long = String(repeating: "a red square on white ", count: 20)
            let lines = [
                #"{"text": "a red square on white"}"#, #"{"image": "\#(folder)/images/red-white.png"}"#,
                #"{"text": "\#(long)"}"#, #"{"text": "blue"}"#,
            ]
            try Files.replace(folder + "/list.jsonl", with: lines.joined(separator: "\n") + "\n")
            func rows(_ arguments: [String]) throws -> [[Float]] {
                let result = try Program.run(["embed", "--model", model] + arguments, in: folder)
                #expect(result.status == 0, "\(result.errors)")
                let file = try SafetensorsFile(path: folder + "/v.safetensors")
                let entry = try #require(file["embeddings"])
                let values = try file.withUnsafeBytes(of: entry) { Array($0.bindMemory(to: Float.self)) }
                return stride(from: 0, to: values.count, by: entry.shape[1]).map {
                    Array(values[$0..<$0 + entry.shape[1]])
                }
            }
            let output = ["--output", folder + "/v.safetensors"]
            let mixed = try rows(["--input", folder + "/list.jsonl"] + output)
            #expect(mixed.count == 4)
            for row in mixed { #expect(abs(row.map { $0 * $0 }.reduce(0, +) - 1) < 1e-5) }
            let texts = try rows(["--text", "blue", "a red square on white"] + output)
            expectClose(texts[0], mixed[3], absolute: 1e-6)
            expectClose(texts[1], mixed[0], absolute: 1e-6)
            let image = try rows(["--image", folder + "/images/red-white.png"] + output)
            expectClose(image[0], mixed[1], absolute: 1e-6)

            let embedded = try Program.run(
                ["embed", "--model", model, "--text", "blue", "--output", folder + "/v.npy"], in: folder)
            #expect(embedded.status == 0)
            let array = try Files.read(folder + "/v.npy")
            #expect(array.starts(with: [0x93] + Array("NUMPY".utf8)) && array.count == 128 + 16 * 4)
        }
    }

    @Test func doctorNamesTheOpenMPRuntimeThatIsLoaded() throws {
        try withTemporaryFolder { folder in
            let diagnosis = try json(["doctor", "--json"], in: folder)
            let facts = try #require(diagnosis["facts"]?.elements)
            func value(_ name: String) -> String? { facts.first { $0["name"]?.string == name }?["value"]?.string }
            #expect(value("libtorch")?.hasPrefix("2.") == true)
            #expect(value("OpenMP runtimes")?.contains("omp") == true)
        }
    }

    @Test(arguments: [
        ["embed", "--model", "m", "--output", "x.bin", "--text", "a"], ["search", "--model", "m", "--data", "d"],
        ["train", "recipe.yaml"], ["evaluate"],
    ])
    func wrongUsageExitsWith64(_ arguments: [String]) throws {
        try withTemporaryFolder { folder in
            let result = try Program.run(arguments, in: folder)
            #expect(result.status == 64)
        }
    }

    @Test func aFolderOfTabSeparatedCaptionsTrains() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder, epochs: 1)
            let rows = try Files.read(folder + "/captions.jsonl").split(separator: UInt8(ascii: "\n")).map {
                try JSONValue(parsing: $0, source: "line")
            }
            try FileManager.default.removeItem(atPath: folder + "/captions.jsonl")
            var table = "picture\tfirst\tsecond\n"
            for row in rows {
                let caption = row["caption"]?.string ?? ""
                table += "\(row["image"]?.string ?? "")\t\"\(caption),\nin two lines\"\t\(caption)\n"
            }
            try Files.replace(folder + "/captions.tsv", with: table)
            let result = try Program.run(
                [
                    "train", recipe, "--output", folder + "/run", "--set", "data.image_column=picture", "--set",
                    "data.caption_columns=[first, second]",
                ], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("32 images, 64 captions"), "\(result.errors)")
        }
    }

    @Test func tooManyBadRowsStopTheRunAndNameThem() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            var lines = String(decoding: try Files.read(folder + "/captions.jsonl"), as: UTF8.self)
            for index in 0..<8 { lines += #"{"image": "images/none-\#(index).png", "caption": "nothing"}"# + "\n" }
            try Files.replace(folder + "/captions.jsonl", with: lines)
            let stopped = try Program.run(["train", recipe, "--output", folder + "/run"], in: folder)
            #expect(stopped.status == 1 && stopped.errors.contains("none-0.png"), "\(stopped.errors)")
            let allowed = try Program.run(
                ["train", recipe, "--output", folder + "/run", "--set", "data.maximum_skipped_fraction=0.5"], in: folder
            )
            #expect(allowed.status == 0, "\(allowed.errors)")
            let skipped = try Files.read(folder + "/run/skipped.jsonl").split(separator: UInt8(ascii: "\n"))
            #expect(skipped.count == 8)
        }
    }
}
