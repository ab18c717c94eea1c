import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

/// Sounds as users of a CLAP meet them: `concord embed`, `similarity`, `classify`, `convert` and `inspect`.
@Suite struct SoundTests {
    /// 8 kHz, 1 s, 101 frames of 8 bands.
    private static func preprocessing(isFused: Bool = false) -> AudioPreprocessing {
        AudioPreprocessing(
            clip: .samples(8000, short: .repeatPad, long: isFused ? .thirds : .crop),
            mel: MelSpectrogram(
                sampleRate: 8000, transformSize: 256, hop: 80, bins: 8, frequencies: 50...3800,
                scale: isFused ? .htk : .slaney, isAreaNormalized: !isFused))
    }

    private static func configuration(isFused: Bool) -> CLAPConfiguration {
        var audio = HTSATConfiguration(
            bins: 8, pictureSize: 32, patchWidth: 8, depths: [2, 2], heads: [2, 4], windowSize: 4, perceptronRatio: 2)
        audio.fusesLongClips = isFused
        audio.fusionReduction = 2
        return CLAPConfiguration(
            text: BERTConfiguration(
                family: .roberta, vocabularySize: 20, width: 8, intermediateWidth: 16, layers: 1, heads: 2,
                positions: 12, tokenTypes: 1, padToken: 1),
            audio: audio, projectionWidth: 6)
    }

    /// Tones of 0.3, 1 and 2.7 seconds.
    private static let sounds = [(2400, 300.0), (8000, 1000.0), (21600, 440.0)].map { count, frequency in
        AudioClip(
            samples: (0..<count).map { Float(0.5 * sin(2 * Double.pi * frequency * Double($0) / 8000)) },
            sampleRate: 8000)
    }

    /// A folder with a model in `model`, and sounds `0.flac` to `2.flac`.
    private func withModel(isFused: Bool = false, _ body: (String, EmbeddingModel) throws -> Void) throws {
        try withTemporaryFolder { folder in
            try NumberTokenizer.write(to: folder, count: 20, start: 0, end: 2, pad: 1)
            let encoder = CLAP(Self.configuration(isFused: isFused), store: ParameterStore(seed: 7))
            let model = EmbeddingModel(
                encoder: encoder, tokenizer: try TokenizerFolder.load(folder, mode: .huggingface),
                preprocessing: Self.preprocessing(isFused: isFused))
            try model.save(to: folder + "/model", training: nil)
            for (index, sound) in Self.sounds.enumerated() {
                try AudioWriter.writeFLAC(sound, to: folder + "/\(index).flac")
            }
            try body(folder, EmbeddingModel.load(folder + "/model"))
        }
    }

    private func rows(_ path: String) throws -> [Double] {
        let array = try NumPyFile(path: path)
        return array.bytes.withUnsafeBytes { Golden.values($0, array.dtype) }
    }

    @Test(arguments: [false, true]) func soundsBecomeUnitVectors(isFused: Bool) throws {
        try withModel(isFused: isFused) { folder, model in
            let files = (0..<3).map { folder + "/\($0).flac" }
            let vectors = try model.embed(sounds: files.map { try AudioDecoder.read($0) })
            #expect(vectors.shape == [3, 6])
            expectClose(vectors.norm(p: 2, axes: [1]).scalars(as: Double.self), [1, 1, 1], absolute: 1e-6)
            // The last is longer than what the model hears at once, which the fused one must be told.
            let side = try #require(model.sounds), heard = try side.preprocessing(AudioDecoder.read(files[2]))
            let values = Tensor(heard.values, shape: [1, heard.channels, heard.frames, heard.bins])
            func vector(frames: Int) -> [Double] {
                withoutGradient { side.encoder.embedAudio(values, lengths: Tensor([frames])).scalars(as: Double.self) }
            }
            let last = vectors.selected(axis: 0, at: 2).scalars(as: Double.self)
            expectClose(last, vector(frames: 271), absolute: 2e-6)
            #expect((zip(last, vector(frames: 101)).map { abs($0 - $1) }.max() ?? 0 > 1e-4) == isFused)
            // Each as it is alone.
            for (row, file) in files.enumerated() {
                expectClose(
                    try model.embed(sounds: [AudioDecoder.read(file)]).scalars(as: Double.self),
                    vectors.selected(axis: 0, at: row).scalars(as: Double.self), absolute: 2e-6)
            }
            let embedded = try Program.run(
                ["embed", "--model", folder + "/model", "--output", folder + "/v.npy", "--audio"] + files, in: folder)
            #expect(embedded.status == 0, "\(embedded.errors)")
            expectClose(try rows(folder + "/v.npy"), vectors.scalars(as: Double.self), absolute: 1e-6)
        }
    }

    @Test func aBrokenSoundIsLeftOutAndNamed() throws {
        try withModel { folder, model in
            let broken = folder + "/broken.flac"
            try Files.replace(broken, with: "fLaC but nothing else")
            let list: [JSONValue] = [
                ["text": "5 7"], ["audio": .string(folder + "/0.flac")], ["audio": .string(broken)],
            ]
            try Files.replace(folder + "/list.jsonl", with: list.map { $0.text() + "\n" }.joined())
            let result = try Program.run(
                [
                    "embed", "--model", folder + "/model", "--input", folder + "/list.jsonl", "--output",
                    folder + "/v.npy",
                    "--json",
                ], in: folder)
            #expect(result.status == 1 && result.errors.contains("skipped 1 of 2 sounds"), "\(result.errors)")
            let report = try JSONValue(parsing: result.output)
            #expect(report["skipped"]?.elements?.first?["path"]?.string == broken)
            let values = try rows(folder + "/v.npy")
            let isLeftOut = values[12...].allSatisfy(\.isNaN)
            #expect(isLeftOut)
            let text = try model.embed(texts: ["5 7"]).vectors
            expectClose(Array(values[..<6]), text.scalars(as: Double.self), absolute: 1e-6)
            let strict = try Program.run(
                [
                    "similarity", "--model", folder + "/model", "--strict", "--audio", folder + "/broken.flac",
                    "--text",
                    "5",
                ], in: folder)
            #expect(strict.status == 1 && strict.errors.contains("broken.flac"), "\(strict.errors)")
        }
    }

    @Test func similarityAndClassification() throws {
        try withModel { folder, model in
            let files = (0..<2).map { folder + "/\($0).flac" }, texts = ["5 7", "11"]
            let sounds = try model.embed(sounds: files.map { try AudioDecoder.read($0) })
            let vectors = try model.embed(texts: texts).vectors
            let similarity = try Similarity(model: model, sounds: sounds, texts: vectors)
            let cosines = sounds.matmul(vectors.transposed(0, 1)).scalars(as: Double.self)
            expectClose(similarity.rows.flatMap(\.cosines), cosines, absolute: 1e-6)
            expectClose(similarity.rows.flatMap(\.logits), cosines.map { $0 / 0.07 }, absolute: 1e-4)
            let result = try Program.run(
                ["similarity", "--model", folder + "/model", "--json", "--audio"] + files + ["--text"] + texts,
                in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let results = try #require(JSONValue(parsing: result.output)["results"]?.elements)
            #expect(results.compactMap { $0["audio"]?.string } == files)
            let printed = results.flatMap { $0["cosine"]?.elements?.compactMap(\.double) ?? [] }
            expectClose(printed, cosines, absolute: 1e-6)

            try Files.replace(folder + "/labels.txt", with: "5\n7\n11\n")
            let classified = try Program.run(
                [
                    "classify", "--model", folder + "/model", "--labels", folder + "/labels.txt", "--template", "3 {}",
                    "--json",
                    "--audio", files[0],
                ], in: folder)
            #expect(classified.status == 0, "\(classified.errors)")
            let found = try #require(JSONValue(parsing: classified.output)["results"]?.elements?.first)
            #expect(found["audio"]?.string == files[0] && found["labels"]?.elements?.count == 3)
            let probabilities = found["labels"]?.elements?.compactMap { $0["probability"]?.double } ?? []
            expectClose([probabilities.reduce(0, +)], [1], absolute: 1e-6)
        }
    }

    /// Weights, tokenizer and preprocessing: there and back the same bits.
    @Test(arguments: [false, true]) func convertedThereAndBack(isFused: Bool) throws {
        try withModel(isFused: isFused) { folder, model in
            let result = try Program.run(
                ["convert", "--model", folder + "/model", "--to", "huggingface", "--output", folder + "/again"],
                in: folder)
            #expect(result.status == 0, "\(result.errors)")
            for name in ["model.safetensors", "config.json", "preprocessor_config.json", "concord.json"] {
                #expect(try Files.read(folder + "/again/" + name) == Files.read(folder + "/model/" + name), "\(name)")
            }
            #expect(model.sounds?.preprocessing == Self.preprocessing(isFused: isFused))
            let other = try Program.run(
                ["convert", "--model", folder + "/model", "--to", "open_clip", "--output", folder + "/other"],
                in: folder)
            #expect(other.status == 1 && other.errors.contains("no format for models of sounds"), "\(other.errors)")
            let inspected = try Program.run(["inspect", "--model", folder + "/again", "--json"], in: folder)
            #expect(inspected.status == 0, "\(inspected.errors)")
            let report = try JSONValue(parsing: inspected.output)
            #expect(report["architecture"]?.string == "clap" && report["notes"]?.elements?.isEmpty == true)
            #expect(report["audio_preprocessing"]?["sample_rate"]?.int == 8000)
            #expect(
                report["audio"]?["kind"]?.string == "htsat" && report["audio"]?["fuses_long_clips"]?.bool == isFused)
            let parts = report["parameters"]?.members?.map(\.name)
            #expect(parts == ["total", "text", "audio", "logits"])
        }
    }

    @Test func whatAModelHasNotIsSaid() throws {
        try withModel { folder, _ in
            let picture = ZeroShotTests.folder + "/wide.png", clip = ZeroShotTests.folder + "/model"
            for (arguments, message) in [
                (
                    ["similarity", "--image", picture, "--text", "5"],
                    "embeds texts and sounds only; name a model with an image"
                ),
                (
                    ["search", "--data", ZeroShotTests.folder, "--audio", folder + "/0.flac"],
                    "name a model with an image tower"
                ),
                (
                    ["similarity", "--image", picture, "--audio", folder + "/0.flac", "--text", "5"],
                    "either --image or --audio"
                ),
                (["similarity", "--text", "5"], "either --image or --audio"),
            ] {
                let result = try Program.run(arguments + ["--model", folder + "/model"], in: folder)
                #expect(result.status != 0 && result.errors.contains(message), "\(result.errors)")
            }
            for command in [["similarity", "--text", "dog"], ["embed", "--output", folder + "/x.npy"]] {
                let result = try Program.run(command + ["--audio", folder + "/0.flac", "--model", clip], in: folder)
                #expect(
                    result.status == 1
                        && result.errors.contains("embeds images and texts only; name a model with an audio tower"),
                    "\(result.errors)")
            }
        }
    }

    @Test(arguments: [
        (#""feature_size": 8"#, #""feature_size": 12"#, "makes 12 mel bins, its configuration wants 8"),
        (#""truncation": "rand_trunc""#, #""truncation": "fusion""#, "makes 4 spectrograms of a sound"),
        (#""hop_length": 80"#, #""hop_length": 20"#, "spectrograms of 401 frames"),
    ])
    func preprocessingThatDoesNotFit(_ found: String, _ replacement: String, _ message: String) throws {
        try withModel { folder, _ in
            let path = folder + "/model/preprocessor_config.json"
            let text = String(decoding: try Files.read(path), as: UTF8.self)
            #expect(text.contains(found), "\(text)")
            try Files.replace(path, with: text.replacingOccurrences(of: found, with: replacement))
            try FileManager.default.removeItem(atPath: folder + "/model/concord.json")
            let model = try EmbeddingModel.load(folder + "/model")
            #expect(model.texts != nil && model.sounds == nil)
            let error = #expect(throws: ConcordError.self) { try model.embed(sounds: Self.sounds) }
            #expect(error?.code == .invalidConfiguration && error?.message.contains(message) == true, "\(error as Any)")
        }
    }
}
