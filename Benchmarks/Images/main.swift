import ConcordMedia
import Foundation

// image-benchmark exact|scaled PASSES FILE…: decodes and preprocesses the files on this thread, and prints the
// seconds that each pass over them took, one a line. The first, unmeasured pass warms up.

let arguments = CommandLine.arguments
guard arguments.count > 3, let passes = Int(arguments[2]), ["exact", "scaled"].contains(arguments[1]) else {
    FileHandle.standardError.write(Data("usage: image-benchmark exact|scaled PASSES FILE…\n".utf8))
    exit(64)
}
let files = arguments[3...]
let preprocessing = ImagePreprocessing.clip(size: 224)
let shrinkFor = arguments[1] == "scaled" ? preprocessing.size : nil
let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: 3 * 224 * 224)
let clock = ContinuousClock()

for pass in 0...passes {
    let duration = try clock.measure {
        for file in files {
            preprocessing.write(try Image(contentsOf: file, shrinkFor: shrinkFor), to: values)
        }
    }
    if pass > 0 { print(duration / .seconds(1)) }
}
