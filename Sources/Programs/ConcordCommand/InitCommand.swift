import ArgumentParser
import Concord
import Foundation

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a training recipe for a folder of captioned images.",
        discussion: """
            Reads the captions, samples the images and runs a few training steps, then prints a forecast: number of
            steps, time and memory on this machine, and the recall of random guessing.

            Examples:
              concord init --data photos
              concord init --data photos --start openai/clip-vit-base-patch32 --output photos-clip.yaml
            """)

    @Option(help: "A folder with captions.jsonl, .tsv or .csv, or the caption file itself.")
    var data: String

    @OptionGroup(title: "Data set") var file: CaptionFileArguments

    @Option(help: "A pretrained model to fine-tune: a folder, or OWNER/NAME as downloaded by `concord pull`.")
    var start: String?

    @Option(help: "The recipe to write (default: the data folder's name with .yaml).")
    var output: String?

    @Flag(help: "Replace an existing recipe.")
    var force = false

    func run() throws {
        let name = URL(fileURLWithPath: data).deletingPathExtension().lastPathComponent
        let path = output ?? name + ".yaml"
        let run = "runs/" + name
        guard force || !FileManager.default.fileExists(atPath: path) else {
            throw ConcordError(
                .fileSystem, "\(path) already exists; name another --output, or use --force to replace it")
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
                "A model trained from scratch on \(forecast.plan.images) images generalizes poorly. To fine-tune one that "
                    + "has seen 400 million, run `concord pull openai/clip-vit-base-patch32` and add "
                    + "--start openai/clip-vit-base-patch32.")
        }
        Message.note("Next:\n  \(train)")
    }

    private static func text(_ forecast: TrainingForecast, path: String, skipped: Int, start: String?) -> String {
        let plan = forecast.plan, survey = forecast.survey
        var lines = ["recipe: \(path)"]
        func add(_ name: String, _ text: String) {
            lines.append(name.padding(toLength: 10, withPad: " ", startingAt: 0) + text)
        }
        let unusable = skipped > 0 ? "; \(skipped) unusable rows or captions" : ""
        add(
            "images",
            "\(plan.images) to train on with \(survey.captions) captions, \(forecast.heldOut) held out\(unusable)")
        if survey.mostShared.images > 1 {
            add(
                "captions",
                "\(survey.distinctCaptions) distinct; the most frequent one is shared by "
                    + "\(survey.mostShared.images) images")
        }
        let size = NumberText.significant(Double(forecast.parameters) / 1e6)
        let origin = start.map { "from \($0)" } ?? "from scratch"
        add(
            "model",
            "\(size) M parameters, \(origin); images of \(forecast.imageSize) × \(forecast.imageSize) pixels")
        add(
            "steps",
            "\(plan.totalSteps): \(plan.epochs) epochs of \(plan.batchesPerEpoch) batches of \(plan.batchSize) images"
        )
        add(
            "time",
            "about \(NumberText.duration(seconds: forecast.seconds)) on this machine, "
                + "\(NumberText.significant(forecast.secondsPerStep, digits: 2)) s per step measured")
        if let bytes = forecast.peakBytes { add("memory", "about \(NumberText.bytes(bytes))") }
        add(
            "guessing",
            "R@1 of \(NumberText.significant(100 * forecast.chance, digits: 2)) % "
                + "when one of \(forecast.gallery) images is picked at random")
        return lines.joined(separator: "\n")
    }
}
