import ConcordCore
import ConcordMedia
import Foundation

/// A data set small enough to train on in a second: squares of eight colours on four backgrounds.
public enum TinyData {
    public static let recipe = """
        data:
          held_out_fraction: 0
          augmentation: {scale: [0.9, 1.0]}
        tokenizer: {vocabulary_size: 600}
        model:
          image_size: 16
          patch_size: 8
          vision: {width: 16, layers: 1, heads: 2}
          text: {width: 16, layers: 1, heads: 2, context_length: 16}
          projection_width: 16
        train:
          epochs: 6
          batch_size: 8
          learning_rate: 1e-3
          warmup_steps: 2
          ema_decay: 0.9
          patch_dropout: 0.25
          precision: float32
          checkpoint_every: 5
          threads: 1
        """

    private static let colours: [(name: String, rgb: [UInt8])] = [
        ("red", [220, 30, 30]), ("green", [30, 180, 30]), ("blue", [30, 30, 220]), ("yellow", [230, 220, 30]),
        ("cyan", [30, 210, 210]), ("magenta", [210, 30, 210]), ("orange", [240, 140, 20]), ("grey", [128, 128, 128]),
    ]
    private static let grounds: [(name: String, rgb: [UInt8])] = [
        ("white", [255, 255, 255]), ("black", [0, 0, 0]), ("brown", [120, 70, 20]), ("pink", [255, 180, 190]),
    ]

    /// Writes 32 pictures and `captions.jsonl` into a folder and returns the recipe's path.
    public static func write(to folder: String, epochs: Int = 6) throws -> String {
        try Files.makeFolder(folder + "/images")
        var lines = ""
        for ground in grounds {
            for colour in colours {
                let name = "images/\(colour.name)-\(ground.name).png"
                var pixels = [UInt8]()
                for y in 0..<20 {
                    for x in 0..<20 { pixels += (5..<15).contains(x) && (5..<15).contains(y) ? colour.rgb : ground.rgb }
                }
                try Image(width: 20, height: 20, pixels: pixels).write(to: folder + "/" + name, as: .png)
                lines += #"{"image": "\#(name)", "caption": "a \#(colour.name) square on \#(ground.name)"}"# + "\n"
            }
        }
        try Files.replace(folder + "/captions.jsonl", with: lines)
        let text = "data:\n  folder: \(folder)\n" + recipe.dropFirst("data:\n".count)
        try Files.replace(
            folder + "/recipe.yaml", with: text.replacingOccurrences(of: "epochs: 6", with: "epochs: \(epochs)"))
        return folder + "/recipe.yaml"
    }

    /// What makes ``recipe`` one of three towers.
    public static let spokenAssignments = [
        "model.audio.kind=speech", "model.audio.channels=4", "model.audio.convolutions=3", "model.audio.width=16",
        "model.audio.layers=1", "model.audio.heads=2", "model.audio.seconds=1", "data.split=train",
    ]

    /// Writes the data set with sounds: of each picture two notes, one for its colour and one for its ground, in a voice
    /// to train on and one to test with, and a word without a picture. The last four pictures are held out.
    ///
    /// - Returns: the recipe's path.
    public static func writeSpoken(to folder: String, epochs: Int = 6) throws -> String {
        let recipe = try write(to: folder, epochs: epochs)
        var captions = "image\tcaption\tsplit\n", table = "image\tcaption\taudio\tsplit\tcondition\tvoice\n"
        for (ground, (groundName, _)) in grounds.enumerated() {
            for (colour, (colourName, _)) in colours.enumerated() {
                let split = ground * colours.count + colour >= 28 ? "test" : "train"
                let name = "\(colourName)-\(groundName)", caption = "a \(colourName) square on \(groundName)"
                captions += "images/\(name).png\t\(caption)\t\(split)\n"
                for (voice, condition) in [("low", "trained"), ("high", "accent")] {
                    let pitch = voice == "low" ? 1 : 1.06
                    let notes = [300 + 400 * Double(colour), 500 + 900 * Double(ground)].map { pitch * $0 }
                    let samples = (0..<(4800 + 160 * colour)).map { index -> Float in
                        let frequency = index < 2400 ? notes[0] : notes[1]
                        return Float(0.3 * sin(2 * .pi * frequency * Double(index) / 16000))
                    }
                    let path = "sounds/\(name)-\(voice).flac"
                    try Files.makeFolder(folder + "/sounds")
                    try AudioWriter.writeFLAC(AudioClip(samples: samples, sampleRate: 16000), to: folder + "/" + path)
                    table +=
                        "images/\(name).png\t\(caption)\t\(path)\t\(condition == "trained" ? split : "test")\t"
                        + "\(condition)\t\(voice)\n"
                }
            }
        }
        for word in ["red", "green"] {
            table += "\ta word, \(word)\tsounds/\(word)-white-high.flac\ttest\thuman\teve\n"
        }
        try FileManager.default.removeItem(atPath: folder + "/captions.jsonl")
        try Files.replace(folder + "/captions.tsv", with: captions)
        try Files.replace(folder + "/sounds.tsv", with: table)
        return recipe
    }
}
