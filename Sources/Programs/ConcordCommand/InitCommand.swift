import ArgumentParser
import Concord
import Foundation

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a recipe that fits a folder of pictures with captions.",
        discussion: """
            Reads the captions, looks at a sample of the pictures, and takes a few steps of the training to say what it
            will take: steps, time and memory on this machine, and the recall that guessing has.

            Examples:
              concord init --data photos
              concord init --data photos --start openai/clip-vit-base-patch32 --output photos-clip.yaml
            """)

    @Option(help: "A folder with captions.jsonl, .tsv or .csv, or such a file.")
    var data: String

    @OptionGroup(title: "Data set") var file: CaptionFileArguments

    @Option(help: "A model to start from: a folder, or OWNER/NAME, fetched by `concord pull`.")
    var start: String?

    @Option(help: "The recipe to write; without it, the data folder's name with .yaml.")
    var output: String?

    @Flag(help: "Replace a recipe that is there.")
    var force = false

    func run() throws {
        let name = URL(fileURLWithPath: data).deletingPathExtension().lastPathComponent
        let path = output ?? name + ".yaml", run = "runs/" + name
        guard force || !FileManager.default.fileExists(atPath: path) else {
            throw ConcordError(
                .fileSystem, "\(path) is there already; name another --output, or replace it with --force")
        }
        let options = try file.options(maximumSkippedFraction: 0.1)
        let dataset = try CaptionDataset(contentsOf: data, options: options)
        Message.notes(of: dataset)
        let train = ["concord", "train", path, "--output", run].map(ShellWord.quoted).joined(separator: " ")
        let draft = try RecipeDraft(
            dataset, data: data, options: options, start: start,
            head: ["Written by `concord init`; `concord train --keys` explains every key.", "  " + train])
        let forecast = try TrainingRun.forecast(Recipe(yaml: draft.text, source: path))
        try Files.replace(path, with: draft.text)
        print(Self.text(forecast, path: path, skipped: dataset.skipped.count, start: start))
        Message.warn(
            forecast.notes.filter { $0.hasPrefix("warning: ") }.map { String($0.dropFirst("warning: ".count)) })
        if start == nil, forecast.plan.images < 5_000 {
            Message.note(
                "A model that begins with nothing learns little from \(forecast.plan.images) pictures beyond these; "
                    + "with --start openai/clip-vit-base-patch32, after `concord pull`, it begins with 400 million.")
        }
        Message.note("Next:\n  \(train)")
    }

    private static func text(_ forecast: TrainingForecast, path: String, skipped: Int, start: String?) -> String {
        let plan = forecast.plan, survey = forecast.survey
        var lines = ["recipe: \(path)"]
        func add(_ name: String, _ text: String) {
            lines.append(name.padding(toLength: 10, withPad: " ", startingAt: 0) + text)
        }
        let unusable = skipped > 0 ? "; \(skipped) rows or captions cannot be used" : ""
        add(
            "pictures",
            "\(plan.images) to train on with \(survey.captions) captions, \(forecast.heldOut) held out\(unusable)")
        if survey.mostShared.images > 1 {
            add(
                "captions",
                "\(survey.distinctCaptions) that differ; the most frequent one is shared by "
                    + "\(survey.mostShared.images) pictures")
        }
        let size = NumberText.significant(Double(forecast.parameters) / 1e6)
        let origin = start.map { "from \($0)" } ?? "begins with nothing"
        add(
            "model",
            "\(size) M parameters, \(origin); sees \(forecast.imageSize) × \(forecast.imageSize) pixels")
        add(
            "steps",
            "\(plan.totalSteps): \(plan.epochs) epochs of \(plan.batchesPerEpoch) batches of \(plan.batchSize) pictures"
        )
        add(
            "time",
            "about \(NumberText.duration(seconds: forecast.seconds)) on this machine, "
                + "\(NumberText.significant(forecast.secondsPerStep, digits: 2)) s a step as measured")
        if let bytes = forecast.peakBytes { add("memory", "about \(NumberText.bytes(bytes))") }
        add(
            "guessing",
            "finds the right one of \(forecast.gallery) pictures first in "
                + "\(NumberText.significant(100 * forecast.chance, digits: 2)) % of searches (R@1)")
        return lines.joined(separator: "\n")
    }
}
