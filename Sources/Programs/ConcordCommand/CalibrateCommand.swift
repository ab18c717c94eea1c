import ArgumentParser
import Concord

struct CalibrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calibrate", abstract: "Measure the mean vector of each modality, for search --calibrate.",
        discussion: """
            A model puts images and texts in regions of their own. Less its mean, each is compared on even terms. The
            means are kept in the model's concord.json; nothing else of the model changes.

            Examples:
              concord calibrate --model runs/emoji --data data/emoji --split train
              concord search --model runs/emoji --data data/emoji --text "red apple" --calibrate
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var data: DataOptions

    @Option(help: "The split whose images and captions count, or all.")
    var split = "all"

    func run() throws {
        let folder = try model.folder()
        guard Files.exists(folder + "/" + ModelManifest.fileName) else {
            throw ConcordError(
                .invalidConfiguration,
                "\(folder) has no \(ModelManifest.fileName); convert the model with `concord convert` first")
        }
        var manifest = try ModelManifest(folder: folder)
        let dataset = try RunFolder(folder).withHeldOut(data.load(needsCaptions: false))
        let model = try model.load()
        let gallery = try ImageGallery(
            model: model, dataset: dataset, maximumSkippedFraction: data.skipping.limit,
            progress: ProgressDisplay(label: "embedding"))
        let calibration = try ModalityCalibration.measure(
            model, gallery: gallery, split: split == "all" ? nil : split, name: data.path)
        manifest.calibration = calibration
        try manifest.write(folder: folder)
        for (modality, mean) in calibration.means.sorted(by: { $0.key < $1.key }) {
            let length = mean.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            print("\(modality): the mean has length \(NumberText.fixed(length, decimals: 3))")
        }
        try data.finish(dataset, gallery)
    }
}
