import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordMedia
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// A CoCa from recipe to captions, by the program.
@Suite(.serialized) struct CoCaRunTests {
    private static let settings = [
        "model.kind=coca", "model.pooler.queries=5", "model.pooler.heads=2", "model.decoder.layers=1",
        "model.decoder.heads=2",
    ]

    private func train(_ folder: String, _ output: String, _ settings: [String] = [], _ more: String...) throws
        -> Program.Result
    {
        let assignments = (Self.settings + settings).flatMap { ["--set", $0] }
        return try Program.run(
            ["train", folder + "/recipe.yaml", "--output", output] + assignments + more, in: folder)
    }

    private func withModel(_ body: (_ folder: String, _ model: String) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 3)
            let result = try train(folder, folder + "/run")
            try #require(result.status == 0, "\(result.errors)")
            try body(folder, folder + "/run")
        }
    }

    private func lines(_ text: String) throws -> [JSONValue] {
        try text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8), source: "output") }
    }

    // MARK: Training

    @Test(arguments: [
        ["loss.caption_weight=1", "loss.caption_label_smoothing=0.1"], ["loss.plan=cached", "loss.chunk=3"],
        ["model.pooler.layout=cascade", "model.tie_language_head=true", "model.class_token_mask=legacy"],
        ["data.captions_per_image=2"],
    ]) func aRunGoesOnWithTheSameNumbers(_ settings: [String]) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 3)
            let output = folder + "/whole", whole = try train(folder, output, settings)
            try #require(whole.status == 0, "\(whole.errors)")
            let metrics = try MetricsLog.read(output + "/metrics.jsonl")
            for name in ["loss", "contrastive_loss", "caption_loss"] {
                #expect(metrics.count == 12 && metrics.allSatisfy { $0[name]?.double?.isFinite == true }, "\(name)")
            }
            let weights = try Files.read(output + "/model.safetensors")
            try FileManager.default.removeItem(atPath: output + "/checkpoints/step-12")
            try FileManager.default.removeItem(atPath: output + "/concord.json")
            let resumed = try train(folder, output, settings, "--resume")
            #expect(resumed.status == 0 && resumed.errors.contains("step 10"), "\(resumed.errors)")
            #expect(try Files.read(output + "/model.safetensors") == weights)
        }
    }

    @Test func everyCommandTakesTheModel() throws {
        try withModel { folder, model in
            let picture = folder + "/images/red-white.png"
            for arguments in [
                ["inspect", "--model", model, "--verify"], ["evaluate", "--model", model, "--data", folder],
                ["similarity", "--model", model, "--image", picture, "--text", "a red square", "a blue square"],
                ["embed", "--model", model, "--text", "a red square on white", "red", "--output", folder + "/a.npy"],
                ["search", "--model", model, "--data", folder, "--text", "a red square"],
                ["convert", "--model", model, "--to", "open_clip", "--output", folder + "/open"],
            ] {
                let result = try Program.run(arguments, in: folder)
                #expect(result.status == 0, "\(arguments[0]): \(result.errors)")
            }
            // The class token sees by the padding where a text ends: alone and beside a longer one it is the same.
            let alone = try EmbeddingModel.load(model), open = try EmbeddingModel.load(folder + "/open")
            let both = try alone.embed(texts: ["a red square on white", "red"], batchSize: 2).vectors
            for (model, tolerance) in [(alone, 1e-6), (open, 1e-6)] {
                let one = try model.embed(texts: ["red"]).vectors
                expectClose(
                    one.scalars(as: Double.self), both.narrowed(axis: 0, from: 1, count: 1).scalars(as: Double.self),
                    absolute: tolerance)
            }
            let refused = try Program.run(
                ["convert", "--model", model, "--to", "huggingface", "--output", folder + "/hf"], in: folder)
            #expect(refused.status == 1 && refused.errors.contains("open_clip"), "\(refused.errors)")
        }
    }

    @Test func aRunStartsFromACoCa() throws {
        try withModel { folder, model in
            try Files.replace(
                folder + "/recipe.yaml",
                with: "data: {folder: \(folder), held_out_fraction: 0}\nmodel.start: \(model)\n"
                    + "train: {batch_size: 8, epochs: 1, precision: float32, threads: 1}\n")
            let result = try Program.run(
                ["train", folder + "/recipe.yaml", "--output", folder + "/more"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let first = try MetricsLog.read(folder + "/more/metrics.jsonl").first?["caption_loss"]?.double ?? 99
            let old = try MetricsLog.read(model + "/metrics.jsonl").first?["caption_loss"]?.double ?? 0
            #expect(first < old)
        }
    }

    @Test(arguments: [
        (["loss.kind=siglip"], "logit bias"), (["loss.matryoshka=[16, 8]"], "loss.matryoshka"),
        (["loss.contrastive_weight=0", "loss.caption_weight=0"], "nothing to learn"),
        (["model.pooler.heads=3"], "heads"), (["model.decoder.heads=5"], "heads"),
        (["model.image_tower=x"], "model.start"), (["model.pooler.queries=1"], "model.pooler.queries"),
    ]) func whatACoCaCannotBeIsRefused(_ settings: [String], _ text: String) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 1)
            let result = try train(folder, folder + "/run", settings)
            #expect(result.status == 1 && result.errors.contains(text), "\(result.errors)")
        }
    }

    @Test(arguments: ["loss.caption_weight=1", "model.decoder.layers=2", "model.class_token_mask=legacy"])
    func whatOnlyACoCaHasIsRefusedOfTowers(_ setting: String) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 1)
            let result = try Program.run(
                ["train", folder + "/recipe.yaml", "--output", folder + "/run", "--set", setting], in: folder)
            let key = String(setting.prefix { $0 != "=" })
            #expect(result.status == 1 && result.errors.contains(key), "\(result.errors)")
        }
    }

    @Test func weightsOfAnotherPoolerAreRefused() throws {
        try withModel { folder, model in
            try FileManager.default.removeItem(atPath: model + "/concord.json")
            let path = model + "/config.json"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            for (old, new, what) in [
                (#""attn_pooler_queries": 5"#, #""attn_pooler_queries": 6"#, "pooler"),
                (#""query_pooling": "joint""#, #""query_pooling": "cascade""#, "pooler"),
                (#""tie_word_embeddings": false"#, #""tie_word_embeddings": true"#, "language head"),
                (#""class_token_mask": "correct""#, #""class_token_mask": "wrong""#, "class_token_mask"),
            ] {
                try #require(text.contains(old), "\(text)")
                try Files.replace(path, with: text.replacingOccurrences(of: old, with: new))
                let result = try Program.run(
                    ["caption", "--model", model, "--image", folder + "/images/red-white.png"], in: folder)
                #expect(result.status == 1 && result.errors.contains(what), "\(result.errors)")
            }
        }
    }

    // MARK: Captions

    @Test func picturesAreCaptioned() throws {
        try withModel { folder, model in
            let pictures = ["red-white", "blue-black", "green-pink"].map { folder + "/images/\($0).png" }
            let broken = folder + "/broken.png"
            try Files.replace(broken, with: "no picture")
            let common = ["caption", "--model", model, "--max-tokens", "12", "--image"]
            let all = try Program.run(
                common + [pictures[0], broken, pictures[1], pictures[2]] + ["--json"], in: folder)
            #expect(all.status == 1, "one cannot be read: \(all.errors)")
            let found = try lines(all.output)
            #expect(found.count == 4)
            #expect(found.compactMap { $0["error"]?.string }.count == 1)
            for picture in pictures {
                let line = try #require(found.first { $0["image"]?.string == picture })
                #expect(line["caption"]?.string != nil)
                let tokens = try #require(line["tokens"]?.elements)
                #expect((1...12).contains(tokens.count))
                #expect((line["log_probability"]?.double ?? 1) < 0)
                // A caption does not depend on the other pictures.
                let alone = try Program.run(common + [picture, "--json"], in: folder)
                #expect(try lines(alone.output)[0]["tokens"] == line["tokens"])
            }
            let streamed = try Program.run(common + [pictures[0], "--stream"], in: folder)
            let greedy = try Program.run(common + [pictures[0], "--strategy", "greedy"], in: folder)
            #expect(streamed.status == 0 && streamed.output == greedy.output, "\(streamed.errors)")
            let prompted = try Program.run(common + [pictures[0], "--prompt", "a red"], in: folder)
            #expect(prompted.output.hasPrefix("a red"), "\(prompted.output) \(prompted.errors)")
            let several = try Program.run(
                common + [pictures[0], "--strategy", "sample", "--results", "3", "--json"], in: folder)
            #expect(try lines(several.output).count == 3)
            try Files.replace(folder + "/words.txt", with: "green\nsquare\n")
            let words = try Program.run(
                common + [pictures[0], "--vocabulary", folder + "/words.txt", "--min-tokens", "3"], in: folder)
            let said = words.output.split { $0 == " " || $0 == "\n" }
            #expect(!said.isEmpty && Set(said).isSubset(of: ["green", "square"]), "\(words.output) \(words.errors)")
        }
    }

    @Test(arguments: [
        (["--beams", "0"], "--beams is 0"), (["--prompt", ""], "prompt"),
        (["--strategy", "sample", "--top-p", "1.5"], "--top-p is 1.5"),
        (["--max-tokens", "90"], "context of 16"), (["--strategy", "greedy", "--top-k", "3"], "--top-k"),
        (["--strategy", "beam", "--stream"], "--stream"), (["--results", "9", "--beams", "6"], "--results is 9"),
        (["--output", "x"], "--data"),
    ]) func impossibleOptionsAreRefused(_ options: [String], _ text: String) throws {
        try withModel { folder, model in
            let result = try Program.run(
                ["caption", "--model", model, "--image", folder + "/images/red-white.png"] + options, in: folder)
            #expect(result.status != 0 && result.errors.contains(text), "\(result.errors)")
        }
    }

    @Test func aLongPromptIsRefused() throws {
        try withModel { folder, model in
            let prompt = String(repeating: "a red square on white ", count: 8)
            let result = try Program.run(
                ["caption", "--model", model, "--image", folder + "/images/red-white.png", "--prompt", prompt],
                in: folder)
            #expect(result.status == 1 && result.errors.contains("context of 16"), "\(result.errors)")
        }
    }

    @Test func captionsAreCompared() throws {
        try withModel { folder, model in
            let arguments = ["evaluate", "--model", model, "--data", folder, "--captions", "--max-tokens", "12"]
            let result = try Program.run(arguments + ["--json"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let captions = try lines(result.output)[0]["captions"]
            #expect(captions?["captions"]?.double == 32 && captions?["exact_match"]?.double != nil)
            #expect(captions?["cider_d"]?.double?.isFinite == true)
            let table = try Program.run(arguments, in: folder)
            #expect(table.output.contains("exact match") && table.output.contains("CIDEr-D"))
        }
    }

    // MARK: Whole data sets

    @Test func aKilledRunGoesOnToTheSameFile() throws {
        try withModel { folder, model in
            try Files.replace(folder + "/images/red-black.png", with: "no picture")
            // More pictures, so that there is time to be killed in.
            for copy in 0..<6 {
                for name in ["red-white", "blue-pink", "grey-brown", "cyan-black"] {
                    try FileManager.default.copyItem(
                        atPath: folder + "/images/\(name).png", toPath: folder + "/images/\(name)-\(copy).png")
                }
            }
            func arguments(_ output: String) -> [String] {
                [
                    "caption", "--model", model, "--data", folder + "/images", "--output", folder + "/" + output,
                    "--batch-size", "3",
                    "--max-tokens", "12", "--threads", "1",
                ]
            }
            let whole = try Program.run(arguments("whole.jsonl"), in: folder)
            #expect(whole.status == 1 && whole.errors.contains("1 of 56 images"), "\(whole.errors)")
            let expected = try Files.read(folder + "/whole.jsonl")
            #expect(try lines(String(decoding: expected, as: UTF8.self)).count == 56)

            // Killed as soon as there are lines; again where it was done by then.
            let partial = folder + "/cut.jsonl.partial"
            repeat {
                let process = try Program.start(arguments("cut.jsonl") + ["--force"], in: folder)
                while process.isRunning, (try? Files.read(partial).count) ?? 0 == 0 { usleep(200) }
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
            } while Files.exists(folder + "/cut.jsonl")
            // And in the middle of a line.
            let bytes = try Files.read(partial)
            try Files.replace(partial, with: Array(bytes.dropLast(7)))
            let other = try Program.run(arguments("cut.jsonl") + ["--beams", "2"], in: folder)
            #expect(other.status == 1 && other.errors.contains("options"), "\(other.errors)")
            let resumed = try Program.run(arguments("cut.jsonl"), in: folder)
            #expect(resumed.status == 1, "\(resumed.errors)")
            #expect(try Files.read(folder + "/cut.jsonl") == expected)
            #expect(!Files.exists(partial) && !Files.exists(partial + ".json"))

            let again = try Program.run(arguments("cut.jsonl"), in: folder)
            #expect(again.status == 1 && again.errors.contains("--force"), "\(again.errors)")
        }
    }

    @Test func aFolderOfPicturesNeedsNoCaptions() throws {
        try withModel { folder, model in
            let result = try Program.run(
                ["caption", "--model", model, "--data", folder + "/images", "--output", folder + "/c.jsonl"]
                    + ["--max-tokens", "8", "--strategy", "greedy"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let names = try lines(String(contentsOfFile: folder + "/c.jsonl", encoding: .utf8)).map {
                $0["image"]?.string
            }
            #expect(names.count == 32 && names.first == "blue-black.png")
        }
    }
}
