import ConcordCore
import ConcordLosses
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// What a run says of data that are not fit, and what it does where the recipe leaves things open.
@Suite struct OwnDataTests {
    /// Rows of the tiny data, changed by `change`, and a recipe that holds pictures out.
    private func write(_ folder: String, epochs: Int = 1, _ change: (Int, inout [String: String]) -> Void) throws {
        let recipe = try TinyData.write(to: folder, epochs: epochs)
        let text = try String(contentsOfFile: recipe, encoding: .utf8)
        try Files.replace(recipe, with: text.replacingOccurrences(of: "  held_out_fraction: 0\n", with: ""))
        let rows = try Files.read(folder + "/captions.jsonl").split(separator: UInt8(ascii: "\n"))
        let lines = try rows.enumerated().map { index, row in
            let value = try JSONValue(parsing: row, source: "row")
            var fields = Dictionary(
                uniqueKeysWithValues: (value.members ?? []).map { ($0.name, $0.value.string ?? "") })
            change(index, &fields)
            return JSONValue.object(fields.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }).text()
        }
        try Files.replace(folder + "/captions.jsonl", with: lines.joined(separator: "\n") + "\n")
    }

    private func train(_ folder: String, _ settings: String..., more: [String] = []) throws -> Program.Result {
        try Program.run(
            ["train", folder + "/recipe.yaml", "--output", folder + "/run"] + settings.flatMap { ["--set", $0] } + more,
            in: folder)
    }

    private func evaluate(_ folder: String, _ split: String) throws -> JSONValue {
        let result = try Program.run(
            ["evaluate", "--model", folder + "/run", "--data", folder, "--split", split, "--json"], in: folder)
        #expect(result.status == 0, "\(result.errors)")
        return try JSONValue(parsing: result.output)
    }

    /// Whether the texts come in that order.
    private func isOrdered(_ text: String, _ parts: String...) -> Bool {
        var rest = Substring(text)
        for part in parts {
            guard let range = rest.range(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return true
    }

    // MARK: Splits

    @Test func aRecipeWithoutASplitHoldsPicturesOut() throws {
        try withTemporaryFolder { folder in
            try write(folder, epochs: 3) { _, _ in }
            let result = try train(folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                isOrdered(result.errors, "6 of 32 images are held out", "26 images, 26 captions"),
                "\(result.errors)")
            let report = try String(contentsOfFile: folder + "/run/report.html", encoding: .utf8)
            #expect(report.contains("<td>held-out</td>") && report.contains("<td>train</td>"))
            #expect(try evaluate(folder, "held-out")["queries"]?.int == 6)
            #expect(try evaluate(folder, "train")["queries"]?.int == 26)
            #expect(try evaluate(folder, "all")["queries"]?.int == 32)
            // Only what was trained on is drawn, and a run that goes on holds out the same.
            let model = try Files.read(folder + "/run/model.safetensors")
            try FileManager.default.removeItem(atPath: folder + "/run/checkpoints/step-9")
            try FileManager.default.removeItem(atPath: folder + "/run/concord.json")
            let held = try Files.read(folder + "/run/held-out.json")
            let resumed = try train(folder, more: ["--resume"])
            #expect(resumed.status == 0 && resumed.errors.contains("held out, as before"), "\(resumed.errors)")
            #expect(try Files.read(folder + "/run/model.safetensors") == model)
            #expect(try Files.read(folder + "/run/held-out.json") == held)
        }
    }

    @Test func nothingIsHeldOutWhereTheRecipeSaysSo() throws {
        try withTemporaryFolder { folder in
            try write(folder) { _, _ in }
            let result = try train(folder, "data.held_out_fraction=0")
            #expect(result.errors.contains("nothing is held out") && result.errors.contains("32 images, 32"))
            #expect(!Files.exists(folder + "/run/held-out.json"))
            #expect(try MetricsLog.read(folder + "/run/metrics.jsonl").count == 4)
        }
    }

    @Test(arguments: [
        // A split for training, one for tests alone, and rows of none.
        (["train", "val"], [String](), "24 images", "val"), (["Training", "x"], [], "24 images", "x"),
        (["", "test"], [], "24 images", "test"), (["a", "b"], [], "26 images", "6 of 32 images are held out"),
        (["train", "val"], ["data.split=all"], "32 images", "steps"),
        (["train", "val"], ["data.split=val"], "8 images", "steps"),
        (["train", "val"], ["data.split=train", "data.held_out_fraction=0.25"], "18 images", "6 of 24 images"),
    ])
    func theDataSaysWhatIsForTraining(_ splits: [String], _ settings: [String], _ images: String, _ note: String)
        throws
    {
        try withTemporaryFolder { folder in
            try write(folder) { index, row in
                let split = splits[index % 4 == 3 ? 1 : 0]
                if !split.isEmpty { row["split"] = split }
            }
            let result = try Program.run(
                ["train", folder + "/recipe.yaml", "--output", folder + "/run"]
                    + settings.flatMap { ["--set", $0] }, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("\n\(images), "), "\(result.errors)")
            #expect(result.errors.contains(note), "\(result.errors)")
        }
    }

    @Test func aSplitThatIsNotThereIsNamedWithThoseThatAre() throws {
        try withTemporaryFolder { folder in
            try write(folder) { index, row in row["split"] = index % 4 == 0 ? "held-out" : "train" }
            let wrong = try train(folder, "data.split=trian")
            #expect(
                wrong.status == 1 && wrong.errors.contains("held-out (8 images), train (24 images)"),
                "\(wrong.errors)")
            #expect(!Files.exists(folder + "/run"))
            let empty = try train(folder, "evaluate.splits=[val]")
            #expect(
                empty.status == 1 && empty.errors.contains("held-out (8 images), train (24 images)"),
                "\(empty.errors)")
            #expect(!Files.exists(folder + "/run"))
        }
    }

    // MARK: Data from which nothing can be learnt

    @Test func captionsThatAreAllAlikeAreToldBeforeTraining() throws {
        try withTemporaryFolder { folder in
            try write(folder) { _, row in row["caption"] = "a photo" }
            let result = try train(folder)
            #expect(result.status == 0)
            #expect(isOrdered(result.errors, "captions are the same, \"a photo\"", "step 1/"), "\(result.errors)")
            #expect(isOrdered(result.errors, "no better than chance", "All captions read the same"), "\(result.errors)")
        }
    }

    @Test func captionsThatDifferInWhatIsNotReadAreToldToo() throws {
        try withTemporaryFolder { folder in
            let long = Array(repeating: "red square", count: 20).joined(separator: " ")
            try write(folder) { index, row in row["caption"] = long + " \(index)" }
            let all = try train(folder, "data.held_out_fraction=0")
            #expect(all.errors.contains("the same as the model reads them (16 tokens"), "\(all.errors)")
            try FileManager.default.removeItem(atPath: folder + "/run")
            try write(folder) { index, row in row["caption"] = index < 12 ? long + " \(index)" : "word \(index)" }
            let some = try train(folder, "data.held_out_fraction=0")
            #expect(some.errors.contains("11 of 32 captions differ from others only in what"), "\(some.errors)")
        }
    }

    @Test func labelsAreToldWithWhatToDo() throws {
        try withTemporaryFolder { folder in
            try write(folder) { index, row in row["caption"] = "class \(index % 4)" }
            let result = try train(folder, "data.held_out_fraction=0")
            #expect(isOrdered(result.errors, "32 images share 4 captions", "loss.duplicates positives", "step 1/"))
            try FileManager.default.removeItem(atPath: folder + "/run")
            let told = try train(folder, "data.held_out_fraction=0", "loss.duplicates=positives")
            #expect(told.errors.contains("share 4 captions") && !told.errors.contains("loss.duplicates"))
        }
    }

    @Test func picturesThatAreAllTheSameAreTold() throws {
        try withTemporaryFolder { folder in
            try write(folder) { _, _ in }
            let picture = try Files.read(folder + "/images/red-white.png")
            for name in try FileManager.default.contentsOfDirectory(atPath: folder + "/images") {
                try Files.replace(folder + "/images/" + name, with: picture)
            }
            let result = try train(folder, "model.image_size=64")
            #expect(result.status == 0 && result.errors.contains("nothing is held out, because"), "\(result.errors)")
            #expect(isOrdered(result.errors, "all 32 images that were looked at are the same", "step 1/"))
            #expect(result.errors.contains("edge of 20 pixels or less, and the model sees 64"), "\(result.errors)")
            #expect(result.errors.contains("All images that were looked at are the same"), "\(result.errors)")
        }
    }

    // MARK: Models that are no better than chance

    @Test func aModelThatGuessesEndsWithTheCause() throws {
        try withTemporaryFolder { folder in
            try write(folder) { _, _ in }
            let few = try train(folder)
            #expect(few.status == 0)
            #expect(few.errors.contains("warning: the model is no better than chance"), "\(few.errors)")
            #expect(isOrdered(few.errors, "It has taken 3 steps", "--epochs-more"), "\(few.errors)")
            let report = try String(contentsOfFile: folder + "/run/report.html", encoding: .utf8)
            #expect(report.contains("no better than chance"))
            try FileManager.default.removeItem(atPath: folder + "/run")
            let still = try train(folder, "train.epochs=80", "train.learning_rate=1e-9")
            #expect(still.errors.contains("train.learning_rate") && still.errors.contains("no better than chance"))
            #expect(!still.errors.contains("It has taken"), "\(still.errors)")
        }
    }

    @Test func aModelThatHasLearntIsNotWarnedOf() throws {
        try withTemporaryFolder { folder in
            try write(folder, epochs: 400) { _, _ in }
            let result = try train(folder, "data.held_out_fraction=0", "train.learning_rate=3e-3")
            #expect(result.status == 0 && !result.errors.contains("chance"), "\(result.errors)")
            #expect(!result.errors.contains("nothing is learned"), "\(result.errors)")
        }
    }

    // MARK: A recipe for the data

    @Test func initWritesARecipeThatTrains() throws {
        try withTemporaryFolder { folder in
            try write(folder) { index, row in row["language"] = index % 2 == 0 ? "en" : "de" }
            func make(_ more: String...) throws -> Program.Result {
                try Program.run(["init", "--data", folder, "--output", folder + "/own.yaml"] + more, in: folder)
            }
            let made = try make()
            #expect(made.status == 0, "\(made.errors)")
            for text in [
                "26 to train on with 26 captions, 6 held out", "epochs of", "on this machine", "memory", "3.1 %",
            ] { #expect(made.output.contains(text), "\(text): \(made.output)") }
            #expect(made.errors.contains("--start") && made.errors.contains("concord train"), "\(made.errors)")
            let text = try String(contentsOfFile: folder + "/own.yaml", encoding: .utf8)
            #expect(isOrdered(text, "# ", "held_out_fraction: auto", "languages: ["), "\(text)")
            let recipe = try Recipe(path: folder + "/own.yaml")
            #expect(recipe.model.imageSize == 32 && recipe.model.contextLength <= 24)
            #expect(recipe.evaluate.splits == ["held-out", "train"] && Set(recipe.data.languages) == ["de", "en"])
            // Nothing is left behind, and nothing replaced.
            #expect(!Files.exists(folder + "/runs"))
            let again = try make()
            #expect(again.status == 1 && again.errors.contains("--force"), "\(again.errors)")
            #expect(try make("--force").status == 0)
            let trained = try Program.run(
                [
                    "train", folder + "/own.yaml", "--output", folder + "/run", "--set", "train.epochs=2", "--set",
                    "train.threads=1",
                ], in: folder)
            #expect(trained.status == 0, "\(trained.errors)")
            #expect(trained.errors.contains("6 of 32 images are held out"), "\(trained.errors)")
        }
    }

    @Test func initKeepsTheSplitsOfTheDataAndTellsDuplicates() throws {
        try withTemporaryFolder { folder in
            try write(folder) { index, row in
                row["split"] = index % 4 == 3 ? "val" : "train"
                row["caption"] = "class \(index % 3)"
            }
            let made = try Program.run(["init", "--data", folder, "--output", folder + "/own.yaml"], in: folder)
            #expect(made.status == 0 && made.errors.contains("share 3 captions"), "\(made.errors)")
            let recipe = try Recipe(path: folder + "/own.yaml")
            #expect(recipe.data.split == "train" && recipe.evaluate.splits == ["val", "train"])
            #expect(recipe.loss.duplicates == .positives)
        }
    }

    @Test func initStartsFromAModel() throws {
        try withTemporaryFolder { folder in
            try write(folder) { _, _ in }
            let base = try train(folder)
            try #require(base.status == 0, "\(base.errors)")
            let made = try Program.run(
                ["init", "--data", folder, "--start", folder + "/run", "--output", folder + "/own.yaml"], in: folder)
            #expect(made.status == 0 && made.output.contains("from \(folder)/run"), "\(made.errors)")
            let recipe = try Recipe(path: folder + "/own.yaml")
            #expect(recipe.model.start == folder + "/run" && recipe.train.learningRate == 1e-5)
        }
    }
}
