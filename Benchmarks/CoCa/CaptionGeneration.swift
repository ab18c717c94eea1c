import ArgumentParser
import BenchmarkSupport
import Concord

/// Captions of exactly so many tokens behind the start token, for the prepared pictures.
struct CaptionGeneration: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "generate")

    @Option var folder: String
    @Option var batch = 8
    @Option(help: "1 is the greedy search.") var beams = 1
    @Option(parsing: .upToNextOption) var lengths = [30]
    @Option var threads = 2

    func run() throws {
        TorchRuntime.threadCount = threads
        let model = try CoCa.load(folder)
        guard let all = try TensorFile.read(folder + "/data.safetensors")["pixels"], all.size(0) >= batch else {
            throw ValidationError("\(folder) has no \(batch) pictures")
        }
        let pixels = all.sliced(axis: 0, from: 0, to: batch)
        _ = try captions(model, pixels, length: 2)  // the first calls allocate
        for length in lengths { print(try captions(model, pixels, length: length).text()) }
    }

    private func captions(_ model: CoCa, _ pixels: Tensor, length: Int) throws -> JSONValue {
        // No end token comes before the fewest tokens, which are also the most.
        let options = GenerationOptions(
            strategy: beams == 1 ? .greedy : .beam(width: beams), maxTokens: length, minTokens: length)
        ProcessMemory.resetPeak()
        let start = ContinuousClock.now
        let session = try CaptionSession(model, pixels: pixels)
        let imageSeconds = (ContinuousClock.now - start) / .seconds(1)
        let requests = Array(repeating: GenerationRequest(options: options), count: batch)
        let captions = try TokenGenerator(session, requests: requests).run().map { $0[0] }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return .object([
            .init("length", .integer(length)), .init("seconds", .number(seconds)),
            .init("imageSeconds", .number(imageSeconds)), .init("peak", .integer(ProcessMemory.peak)),
            .init("tokens", .array(captions.map { .array($0.tokens.map { .integer(Int($0)) }) })),
            .init("logProbabilities", .array(captions.map { .number($0.logProbability) })),
        ])
    }
}
