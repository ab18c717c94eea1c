import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Whole runs of the program on pictures, captions and sounds.
@Suite struct SpokenRunTests {
    private func train(_ recipe: String, _ folder: String, _ output: String, _ more: [String] = []) throws
        -> Program.Result
    {
        let assignments = TinyData.spokenAssignments.flatMap { ["--set", $0] }
        return try Program.run(["train", recipe, "--output", output] + assignments + more, in: folder)
    }

    private func metrics(_ output: String) throws -> [JSONValue] { try MetricsLog.read(output + "/metrics.jsonl") }

    @Test func threeTowersTrainAreSavedAndMeasured() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.writeSpoken(to: folder, epochs: 80), output = folder + "/run"
            let result = try train(recipe, folder, output, ["--set", "loss.pairs={image-text: 1, audio-text: 2}"])
            #expect(result.status == 0, "\(result.errors)")
            let last = try #require(try metrics(output).last)
            #expect(last["audio_text_loss"]?.double != nil && last["image_audio_loss"] == nil)
            let first = try #require(try metrics(output).first)
            #expect(try #require(last["audio_text_loss"]?.double) < #require(first["audio_text_loss"]?.double))

            let saved = try ModelFolder(output)
            guard case .tripleEncoder(let configuration) = saved.architecture else {
                Issue.record("\(saved.architecture)")
                return
            }
            #expect(configuration.audio.width == 16 && configuration.audio.convolutions == 3)
            // What is read is written again with the same bits.
            let model = try TripleEncoder.load(output)
            #expect(model.store.notes.isEmpty)
            let names = Set(model.store.parameters.map(\.name))
            #expect(
                names.contains("audio_projection.weight") && names.contains { $0.hasPrefix("audio_model.encoder.") })

            let evaluation = try Program.run(
                ["evaluate", "--model", output, "--data", folder, "--modalities", "image,text,audio", "--json"],
                in: folder)
            #expect(evaluation.status == 0, "\(evaluation.errors)")
            let rows = try #require(
                JSONValue(parsing: Array(evaluation.output.utf8), source: "output")["rows"]?.elements)
            func row(_ query: String, _ gallery: String, _ split: String, _ condition: String?) -> JSONValue? {
                rows.first {
                    $0["query"]?.string == query && $0["gallery"]?.string == gallery && $0["split"]?.string == split
                        && $0["condition"]?.string == condition
                }
            }
            // Six directions, two splits, with two conditions where sounds are compared; words with texts alone.
            #expect(rows.count == 2 * 2 + 4 * 2 * 2 + 2)
            for (query, gallery) in [("image", "text"), ("text", "image")] {
                #expect(row(query, gallery, "train", nil)?["queries"]?.int == 28)
                #expect(row(query, gallery, "test", nil)?["gallery_size"]?.int == 32)
            }
            let heard = try #require(row("audio", "text", "train", "trained"))
            #expect(heard["queries"]?.int == 28 && heard["gallery_size"]?.int == 32)
            #expect(heard["chance@1"]?.double == 1.0 / 32)
            #expect(abs(try #require(heard["chance@10"]?.double) - 10.0 / 32) < 1e-12)
            // Far more than chance finds: the colours or the grounds at least are told apart.
            #expect(try #require(heard["recall@5"]?.double) > 0.3)
            #expect(row("image", "audio", "test", "accent")?["queries"]?.int == 4)
            let words = try #require(row("audio", "text", "test", "human"))
            #expect(words["queries"]?.int == 2 && words["gallery_size"]?.int == 2 && words["chance@1"]?.double == 0.5)

            let table = try Program.run(
                ["evaluate", "--model", output, "--data", folder, "--modalities", "text,audio"], in: folder)
            #expect(table.output.contains("audio → text") && !table.output.contains("image"))
            // Pictures are still found by their captions.
            let search = try Program.run(
                ["search", "--model", output, "--data", folder, "--text", "a red square on white"], in: folder)
            #expect(search.status == 0 && search.output.contains("images/"), "\(search.errors)")
        }
    }

    @Test func aResumedRunHearsTheSameSounds() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.writeSpoken(to: folder), constant = ["--set", "train.schedule=constant"]
            let short = constant + ["--set", "train.epochs=3"]
            let whole = try train(recipe, folder, folder + "/whole", constant)
            #expect(whole.status == 0, "\(whole.errors)")
            let half = try train(recipe, folder, folder + "/half", short)
            #expect(half.status == 0, "\(half.errors)")
            let rest = try train(recipe, folder, folder + "/half", constant + ["--resume"])
            #expect(rest.status == 0, "\(rest.errors)")
            let losses = try ["whole", "half"].map { try metrics(folder + "/" + $0).map { $0["loss"]?.text() } }
            #expect(losses[0] == losses[1] && losses[0].count == 18)

            // A table of sounds that changes is noticed.
            let more = try train(recipe, folder, folder + "/more", short)
            #expect(more.status == 0)
            let table = String(decoding: try Files.read(folder + "/sounds.tsv"), as: UTF8.self)
            try Files.replace(folder + "/sounds.tsv", with: table.replacing("human", with: "people"))
            let changed = try train(recipe, folder, folder + "/more", constant + ["--resume"])
            #expect(changed.status == 1 && changed.errors.contains("sounds.tsv"), "\(changed.errors)")
        }
    }

    @Test func processesShareRowsWithUnequalPresence() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.writeSpoken(to: folder)
            // Every third sound goes away, so that the processes have unequal numbers of them.
            let lines = String(decoding: try Files.read(folder + "/sounds.tsv"), as: UTF8.self)
                .split(separator: "\n", omittingEmptySubsequences: true)
            let kept = lines.enumerated().filter { $0.offset == 0 || $0.offset % 3 != 1 }.map(\.element)
            try Files.replace(folder + "/sounds.tsv", with: kept.joined(separator: "\n") + "\n")
            let one = try train(recipe, folder, folder + "/one", ["--set", "train.epochs=2"])
            #expect(one.status == 0, "\(one.errors)")
            let two = try train(recipe, folder, folder + "/two", ["--set", "train.epochs=2", "--processes", "2"])
            #expect(two.status == 0, "\(two.errors)")
            let losses = try ["one", "two"].map { try metrics(folder + "/" + $0).compactMap { $0["loss"]?.double } }
            #expect(losses[0].count == losses[1].count)
            for (a, b) in zip(losses[0], losses[1]) { #expect(abs(a - b) < 1e-4, "\(a) \(b)") }
        }
    }

    @Test(arguments: [
        (["model.audio.width=8"], "model.audio.kind is none"),
        (["model.audio.kind=speech", "model.kind=coca"], "model.audio is for the model.kind clip"),
        (["model.audio.kind=speech", "model.start=m"], "cannot be given beside model.start"),
        (["model.audio.kind=speech", "model.audio.heads=5"], "heads"),
        (["loss.pairs={image-txt: 1}"], "loss.pairs has no image-txt"),
        (["loss.pairs={image-text: 0}"], "weight of 0"),
        (["data.on_bad_input=ignore"], "fail, skip, absent"),
    ])
    func contradictionsAreRefused(_ assignments: [String], _ words: String) {
        let error = #expect(throws: ConcordError.self) {
            try Recipe(yaml: "", source: "test.yaml", assignments: assignments)
        }
        #expect(
            error?.code == .invalidConfiguration && error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test func pairsNeedTheirTowers() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder)
            let result = try Program.run(
                ["train", recipe, "--output", folder + "/run", "--set", "loss.pairs={audio-text: 1}"], in: folder)
            #expect(result.status == 1 && result.errors.contains("no audio tower"), "\(result.errors)")
        }
    }

    @Test func theRecipeOfTheRepositoryIsValid() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../recipes/spoken-emoji.yaml"
        let recipe = try Recipe(path: path)
        #expect(recipe.model.audio.kind == .speech && recipe.loss.pairs.count == 3)
    }
}
