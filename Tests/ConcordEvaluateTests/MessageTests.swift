import ConcordCore
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// What is wrong on a command line is said at once, and with what to do.
@Suite struct MessageTests {
    private static let model = ZeroShotTests.folder + "/model"

    @Test(arguments: [
        (["trian", "x.yaml"], "Unknown command 'trian'. Did you mean 'train'?"),
        (["zebra"], "Commands: dataset, init, train"), (["dataset", "emojis"], "Did you mean 'emoji'?"),
        (["embed", "--texts", "a", "--model", "m", "--output", "x.npy"], "Did you mean '--text'?"),
        (["similarity", "--image", "a.png", "--texts", "a"], "'--texts'. Did you mean '--text'?"),
        (["search", "--model", "m", "--dataset=d", "--text", "a"], "'--dataset'. Did you mean '--data'?"),
        (["serve", "--modle", "m"], "Did you mean '--model'?"), (["train", "--xyzzy"], "'concord train --help'"),
        (["embed", "--text", "a", "--model", "m", "--output", "x.bin"], ".safetensors, .npy or .jsonl"),
        (["embed", "--text", "a", "--model", "m", "--output", "x.npy", "--split", "s"], "--split is for --data"),
        (["search", "--model", "m", "--data", "d", "--text", "a", "--separator", "xx"], "must be one character"),
        (["evaluate", "--model", "m", "--data", "d", "--maximum-skipped-fraction", "2"], "it must be in 0…1"),
        (["pull", "./runs"], "is not the name of a model"), (["pull", "a/b/c"], "OWNER/NAME"),
    ]) func wrongUsageNamesWhatIsMeant(_ arguments: [String], _ message: String) throws {
        try withTemporaryFolder { folder in
            let result = try Program.run(arguments, in: folder)
            #expect(result.status == 64 && result.errors.contains(message), "\(arguments): \(result.errors)")
        }
    }

    @Test func helpIsStillHelp() throws {
        try withTemporaryFolder { folder in
            for arguments in [["help"], ["--help"], ["embed", "--help"], ["help", "embed"], ["--version"]] {
                let result = try Program.run(arguments, in: folder)
                #expect(result.status == 0 && !result.output.isEmpty, "\(arguments): \(result.errors)")
            }
        }
    }

    /// Everything that can be told before a model is loaded or pictures are embedded, with a model that is good.
    @Test(arguments: [
        (["evaluate", "--data", "DATA", "--split", "val"], "there is no split `val`"),
        (["evaluate", "--data", "DATA", "--language", "fr"], "languages en"),
        (["evaluate", "--data", "DATA", "--kind", "nam"], "kinds name"),
        (["evaluate", "--data", "DATA", "--captions", "--vocabulary", "none.txt"], "none.txt"),
        (["evaluate", "--data", "none"], "there is no file or folder none"),
        (["search", "--data", "DATA", "--image", "none.png"], "none.png"),
        (["search", "--data", "DATA", "--image", "https://a.b/c.png"], "this is a URL"),
        (["search", "--data", "DATA", "--text", "a", "--html", "none/page.html"], "there is no folder none"),
        (["search", "--data", "DATA", "--text", "a", "--skipped", "none/x"], "there is no folder none"),
        (["search", "--data", "DATA", "--text", "a", "--device", "cuda:99"], "the device cuda:99 is not available"),
        (["search", "--data", "DATA", "--text", "a", "--device", "gpu"], "NVIDIA's GPUs are cuda"),
        (["embed", "--text", "a", "--output", "none/v.npy"], "there is no folder none"),
        (["embed", "--data", "DATA", "--split", "val", "--output", "v.npy"], "there is no split `val`"),
        (["embed", "--input", "none.jsonl", "--output", "v.npy"], "none.jsonl"),
        (["classify", "--image", "a.png", "--labels", "none.txt"], "none.txt"),
        (["preprocess", "--image", "a.png", "--output", "none/p.npy"], "there is no folder none"),
        (["caption", "--data", "DATA", "--output", "none/c.jsonl"], "there is no folder none"),
        (["caption", "--data", "DATA", "--split", "val", "--output", "c.jsonl"], "there is no split `val`"),
        (["caption", "--data", "DATA", "--vocabulary", "none.txt", "--output", "c.jsonl"], "none.txt"),
        (["export", "--data", "none", "--output", "artifact"], "there is no file or folder none"),
    ]) func faultsAreFoundBeforeTheWork(_ arguments: [String], _ message: String) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder + "/data")
            let lines = String(decoding: try Files.read(folder + "/data/captions.jsonl"), as: UTF8.self)
            try Files.replace(
                folder + "/data/captions.jsonl",
                with: lines.replacing("\"caption\"", with: "\"language\": \"en\", \"kind\": \"name\", \"caption\""))
            let given = arguments.map { $0 == "DATA" ? folder + "/data" : $0 }
            let result = try Program.run(given + ["--model", Self.model], in: folder)
            #expect(result.status == 1 && result.errors.contains(message), "\(result.errors)")
            // Embedding shows its progress.
            #expect(!result.errors.contains("embedding"), "\(result.errors)")
        }
    }

    @Test func aCPUBuildSaysWhatToInstall() throws {
        guard !TorchRuntime.isBuiltWithCUDA else { return }
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            let embedded = try Program.run(
                ["embed", "--model", Self.model, "--device", "cuda", "--text", "a", "--output", "v.npy"], in: folder)
            let trained = try Program.run(
                ["train", recipe, "--set", "train.device=cuda:1", "--output", folder + "/run"], in: folder)
            for result in [embedded, trained] {
                #expect(result.status == 1 && result.errors.contains("built for CPUs only"), "\(result.errors)")
                #expect(result.errors.contains("pip install torch=="), "\(result.errors)")
            }
        }
    }

    @Test func modelsThatAreNotThereAreLookedForBesideThem() throws {
        try withTemporaryFolder { folder in
            try Files.makeFolder(folder + "/runs")
            try FileManager.default.copyItem(atPath: Self.model, toPath: folder + "/runs/emoji")
            func run(_ arguments: [String]) throws -> Program.Result {
                try Program.run(
                    ["-c", "cd \"$0\" && exec \"$@\"", folder, Program.path] + arguments, executable: "/bin/sh",
                    in: folder)
            }
            let near = try run(["tokenize", "--model", "runs/emojy", "--text", "a"])
            #expect(near.status == 1 && near.errors.contains("did you mean runs/emoji?"), "\(near.errors)")
            let far = try run(["tokenize", "--model", "runs/nope", "--text", "a"])
            #expect(far.status == 1 && far.errors.contains("runs has emoji"), "\(far.errors)")
            let there = try run(["pull", "runs/emoji"])
            #expect(there.status == 64 && there.errors.contains("--model runs/emoji"), "\(there.errors)")
            let nope = try Program.run(
                [
                    "-c", "cd \"$0\" && HF_ENDPOINT=http://127.0.0.1:9 exec \"$@\"", folder, Program.path, "pull",
                    "runs/nope",
                ], executable: "/bin/sh", in: folder)
            #expect(nope.status == 1 && nope.errors.contains("If a path was meant: there is no folder runs/nope"))
        }
    }

    @Test func modelsAndArtifactsAreToldApart() throws {
        try withTemporaryFolder { folder in
            let served = try Program.run(["serve", "--model", Self.model, "--port", "0"], in: folder)
            #expect(served.status == 1, "\(served.errors)")
            #expect(served.errors.contains("concord export --model \(Self.model)"), "\(served.errors)")
            let none = try Program.run(["serve", "--model", folder + "/none", "--port", "0"], in: folder)
            #expect(none.status == 1 && none.errors.contains("there is no folder"), "\(none.errors)")

            let artifact = folder + "/artifact"
            let exported = try Program.run(["export", "--model", Self.model, "--output", artifact], in: folder)
            #expect(exported.status == 0, "\(exported.errors)")
            for arguments in [
                ["embed", "--text", "a", "--output", folder + "/v.npy"], ["export", "--output", folder + "/again"],
                ["convert", "--to", "huggingface", "--output", folder + "/converted"],
            ] {
                let result = try Program.run(arguments + ["--model", artifact], in: folder)
                #expect(result.status == 1 && result.errors.contains("is an exported model"), "\(result.errors)")
            }
        }
    }

    // MARK: Training

    @Test func aRunThatFailsBeforeItsStartLeavesNothing() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder), output = folder + "/runs/new"
            func train(_ setting: String, _ output: String) throws -> String {
                let result = try Program.run(["train", recipe, "--set", setting, "--output", output], in: folder)
                #expect(result.status == 1)
                return result.errors
            }
            #expect(try train("data.folder=\(folder)/none", output).contains("there is no file or folder"))
            let split = try train("data.split=train", output)
            #expect(split.contains("there is no split `train`") && !split.contains("lower"), "\(split)")
            #expect(!Files.exists(output))
            // What was there before stays.
            try Files.makeFolder(folder + "/mine")
            _ = try train("data.split=train", folder + "/mine")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/mine") == [])
            try Files.replace(folder + "/mine/notes.txt", with: "x")
            _ = try train("data.split=train", folder + "/mine")
            #expect(Files.exists(folder + "/mine/notes.txt"))
        }
    }
}
