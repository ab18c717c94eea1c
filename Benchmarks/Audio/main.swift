import ConcordCore
import ConcordMedia
import Foundation

// audio-benchmark speed NAME SECONDS PASSES: the features of a sound of so many seconds, on this thread, with the tables
// made before; prints the seconds that each pass took, one a line. The first, unmeasured pass warms up.
// audio-benchmark features NAME SAMPLES OUTPUT NUMBER: writes the features of a file of float32 samples, whose sample has
// that number, as float32; prints their shape.
// audio-benchmark config NAME: prints the preprocessor_config.json.

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(64)
}

func preprocessing(_ name: String) -> AudioPreprocessing {
    switch name {
    case "clap": return .clap()
    case "clap-fused": return .clap(fused: true)
    case "clap-repeat":
        var clap = AudioPreprocessing.clap()
        clap.clip = .samples(480_000, short: .repeat, long: .crop)
        return clap
    case "whisper": return .whisper()
    case "whisper-128": return .whisper(bins: 128)
    case "ast": return .ast
    default: fail("audio-benchmark: no front end is called \(name)")
    }
}

let arguments = CommandLine.arguments
guard arguments.count >= 3, arguments[1] == "config" || arguments.count >= 5 else {
    fail("usage: audio-benchmark speed NAME SECONDS PASSES | features NAME SAMPLES OUTPUT NUMBER | config NAME")
}
let extractor = try preprocessing(arguments[2]).extractor()
let rate = extractor.preprocessing.sampleRate

switch arguments[1] {
case "speed":
    guard let seconds = Double(arguments[3]), let passes = Int(arguments[4]) else {
        fail("audio-benchmark: no numbers")
    }
    var random = RandomSource(seed: 1)
    let samples = (0..<Int(seconds * Double(rate))).map { _ in Float(random.uniform(-0.5, 0.5)) }
    let clip = AudioClip(samples: samples, sampleRate: rate)
    let clock = ContinuousClock()
    for pass in 0...passes {
        var features: AudioFeatures?
        let duration = try clock.measure { features = try extractor(clip) }
        guard features != nil else { fail("audio-benchmark: no features") }
        if pass > 0 { print(duration / .seconds(1)) }
    }
case "features":
    guard arguments.count == 6, let number = Int(arguments[5]) else { fail("audio-benchmark: no number") }
    let samples = try Files.read(arguments[3]).withUnsafeBytes { raw in
        stride(from: 0, to: raw.count, by: 4).map { raw.loadUnaligned(fromByteOffset: $0, as: Float.self) }
    }
    let features = try extractor(AudioClip(samples: samples, sampleRate: rate), sampleID: number)
    try Files.replace(arguments[4], with: features.values.withUnsafeBytes(Array.init))
    print(features.channels, features.frames, features.bins, features.isLonger)
case "config": print(extractor.preprocessing.preprocessorConfig().text())
default: fail("audio-benchmark: \(arguments[1]) is none of speed, features and config")
}
