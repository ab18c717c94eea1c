import ConcordCore
import ConcordData
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

@Suite struct SoundDatasetTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for index in 0..<4 {
            let pixels = [UInt8](repeating: UInt8(index * 60), count: 12 * 12 * 3)
            try Image(width: 12, height: 12, pixels: pixels).write(to: "\(folder.path)/\(index).png", as: .png)
            try sound("\(index).flac", seconds: 0.1 * Double(index + 1))
            try sound("other-\(index).flac", seconds: 0.05)
        }
    }

    /// A tone of half a kilohertz.
    private func sound(_ name: String, seconds: Double) throws {
        let samples = (0..<Int(16000 * seconds)).map { Float(0.5 * sin(0.2 * Double($0))) }
        try AudioWriter.writeFLAC(AudioClip(samples: samples, sampleRate: 16000), to: "\(folder.path)/\(name)")
    }

    private func read(
        _ name: String, _ text: String, _ policy: BadInputPolicy = .skip, skipped: Double = 1
    ) throws -> CaptionDataset {
        try folder.write(name, text)
        var options = CaptionFileOptions()
        options.onBadInput = policy
        options.maximumSkippedFraction = skipped
        return try CaptionDataset(contentsOf: folder.path, options: options)
    }

    // MARK: Tables

    @Test func rowsHaveAnySubset() throws {
        let dataset = try read(
            "captions.tsv",
            """
            image\tcaption\taudio\tlanguage\tvoice
            0.png\tzero\t0.flac\ten\tann
            1.png\tone\t\t\t
            2.png\t\t2.flac\t\t
            \tthree\t3.flac\t\t
            0.png\tzero\tother-0.flac\ten\tbob
            0.png\tnought\t\ten\t
            \t\tother-1.flac\t\t
            \tonly words\t\t\t
            \t\t\t\t
            """)
        #expect(dataset.items.map(\.image) == ["0.png", "1.png", "2.png", nil, nil, nil])
        #expect(
            dataset.items.map { $0.captions.map(\.text) } == [
                ["zero", "nought"], ["one"], [], ["three"], [], ["only words"],
            ])
        #expect(
            dataset.items.map { $0.sounds.map(\.path) } == [
                ["0.flac", "other-0.flac"], [], ["2.flac"], ["3.flac"], ["other-1.flac"], [],
            ])
        #expect(dataset.items[0].sounds.map(\.caption) == ["zero", "zero"])
        #expect(dataset.items[0].sounds.map(\.voice) == ["ann", "bob"] && dataset.items[0].sounds[0].language == "en")
        #expect(dataset.skipped.map(\.reason) == [.emptyRow] && dataset.skipped[0].line == 10)
        #expect(dataset.withImages.items.count == 3)
        #expect(dataset.path(of: dataset.items[3]) == nil)
        #expect(Files.exists(dataset.path(of: dataset.items[3].sounds[0])))
    }

    @Test func jsonLinesHaveThemToo() throws {
        let dataset = try read(
            "captions.jsonl",
            """
            {"image": "0.png", "captions": ["zero", "nought"], "audio": "0.flac"}
            {"audio": "1.flac", "caption": "one", "condition": "human"}
            {"image": null, "audio": "2.flac"}
            {"image": "3.png", "audio": "3.flac", "caption": null}
            {"caption": "without"}
            {"image": "1.png", "caption": "one", "audio": 7}
            """)
        #expect(dataset.items.map(\.image) == ["0.png", nil, nil, "3.png"])
        // Which of two captions a sound says is not known.
        #expect(dataset.items.map { $0.sounds[0].caption } == [nil, "one", nil, nil])
        #expect(dataset.items[1].sounds[0].condition == "human")
        #expect(dataset.skipped.map(\.reason) == [.missingField, .wrongType])
    }

    @Test func withoutSoundsNothingMayBeBlank() throws {
        let dataset = try read("captions.tsv", "image\tcaption\n0.png\tzero\n\tone\n1.png\t\n")
        #expect(dataset.items.map(\.image) == ["0.png"])
        #expect(dataset.skipped.map(\.reason) == [.invalidPath, .emptyCaption])
    }

    @Test func soundsHaveATableOfTheirOwn() throws {
        try folder.write("captions.tsv", "image\tcaption\tsplit\n0.png\tzero\ttrain\n1.png\tone\ttest\n")
        let dataset = try read(
            "sounds.tsv",
            """
            image\tcaption\taudio\tsplit\tcondition\tvoice
            0.png\tzero, said\t0.flac\ttrain\ttrained\tann
            0.png\tzero\tother-0.flac\ttest\taccent\tbob
            1.png\tone\t1.flac\ttest\ttrained\tann
            \tfree\t2.flac\ttest\thuman\teve
            0.png\tzero\t\ttrain\ttrained\tann
            """)
        #expect(dataset.items.map(\.image) == ["0.png", "1.png", nil])
        #expect(dataset.items.map { $0.captions.map(\.text) } == [["zero"], ["one"], ["free"]])
        #expect(dataset.items.map(\.split) == ["train", "test", "test"])
        #expect(dataset.items[0].sounds.map(\.caption) == ["zero, said", "zero"])
        // Only a split that differs from the item's is noted; training leaves such sounds out.
        #expect(dataset.items[0].sounds.map(\.split) == [nil, "test"])
        #expect(dataset.items[0].trainedSounds.map(\.voice) == ["ann"])
        #expect(dataset.items[1].trainedSounds.count == 1)
        #expect(dataset.skipped.map(\.reason) == [.emptyRow] && dataset.skipped[0].file.hasSuffix("sounds.tsv"))

        try folder.write("sounds.csv", "audio\n0.flac\n")
        #expect(throws: ConcordError.self) { try CaptionDataset(contentsOf: folder.path) }
    }

    @Test(arguments: BadInputPolicy.allCases)
    func soundsThatAreNotThere(_ policy: BadInputPolicy) throws {
        let table = "image,caption,audio\n0.png,zero,0.flac\n1.png,one,none.flac\n2.png,two,https://a.example/2.wav\n"
        if policy == .fail {
            let error = #expect(throws: ConcordError.self) { try read("captions.csv", table, policy) }
            #expect(error?.code == .invalidDataset && error?.message.contains("line 3") == true)
            return
        }
        let dataset = try read("captions.csv", table, policy)
        #expect(dataset.skipped.map(\.reason) == [.missingSound, .remoteSound])
        #expect(dataset.skipped.allSatisfy { $0.isPartial == (policy == .absent) && $0.reason.isOfInput })
        #expect(dataset.items.map(\.image) == (policy == .absent ? ["0.png", "1.png", "2.png"] : ["0.png"]))
        #expect(dataset.items.map(\.sounds.count) == (policy == .absent ? [1, 0, 0] : [1]))
    }

    // MARK: Batches

    private func collator(
        _ dataset: CaptionDataset, _ policy: BadInputPolicy = .skip, augmentation: AudioAugmentation? = nil,
        sampling: CaptionSampling = .init(), skipped: Double = 1
    ) throws -> ContrastiveCollator {
        try ContrastiveCollator(
            dataset: dataset, preprocessing: .clip(size: 8),
            sounds: .init(.speech, augmentation: augmentation), sampling: sampling, onBadInput: policy, seed: 3,
            maximumSkippedFraction: skipped, tokenize: { $0.map { $0.utf8.map(Int32.init) } })
    }

    private let table = """
        image\tcaption\taudio
        0.png\tzero\t0.flac
        1.png\tone\t
        2.png\t\t2.flac
        \tthree\t3.flac
        """

    @Test func rowsWithoutAModalityAreInNoneOfItsLists() throws {
        let dataset = try read("captions.tsv", table)
        let batch = try collator(dataset).batch(epoch: 0, indices: [3, 0, 1, 2])
        #expect(batch.count == 4)
        #expect(batch.rows(with: .image) == [1, 2, 3])
        #expect(batch.rows(with: .audio) == [0, 1, 3])
        #expect(batch.rows(with: .text) == [0, 1, 2])
        #expect(batch.captions == [["three", "zero", "one"]])
        guard case .numbers(let pixels, [3, 8, 8]) = batch[.image],
            case .frames(let values, let views, let shape, let lengths) = batch[.audio]
        else {
            Issue.record("\(batch.values)")
            return
        }
        #expect(pixels.count == 3 * 3 * 64)
        // Padded to the longest, with zeros; each is what the preprocessing makes of it alone.
        let alone = try ["3.flac", "0.flac", "2.flac"].map {
            try AudioPreprocessing.speech(AudioDecoder.read("\(folder.path)/\($0)"))
        }
        #expect(views == 1 && lengths == alone.map(\.length))
        #expect(shape == [1, alone[0].frames, 64] && alone[0].frames > alone[2].frames)
        for (place, features) in alone.enumerated() {
            let row = values[place * shape[1] * 64..<(place + 1) * shape[1] * 64]
            #expect(row.starts(with: features.values))
            #expect(row.dropFirst(features.values.count).allSatisfy { $0 == 0 })
        }
        // A part of the rows has the same values as the whole batch.
        let part = try collator(dataset).batch(epoch: 0, indices: [3, 0, 1, 2], rows: 2..<4)
        #expect(part.rows(with: .image) == nil && part.rows(with: .audio) == [1] && part.rows(with: .text) == [0])
        #expect(part.captions == [["one"]])
    }

    @Test func batchesDependOnSeedEpochAndItemsOnly() throws {
        try folder.write("captions.tsv", "image\tcaption\n0.png\tzero\n1.png\tone\n")
        let dataset = try read(
            "sounds.tsv",
            "image\tcaption\taudio\tlanguage\n"
                + (0..<4).flatMap { index in
                    ["0.png\tzero\t\(index).flac\ten\n", "1.png\tone\tother-\(index).flac\tzh\n"]
                }.joined())
        let augmentation = AudioAugmentation.speech
        let first = try collator(dataset, augmentation: augmentation)
        let whole = try first.batch(epoch: 1, indices: [0, 1])
        let second = try collator(dataset, augmentation: augmentation)
        #expect(try second.batch(epoch: 2, indices: [0, 1])[.audio] != whole[.audio])
        #expect(try second.batch(epoch: 1, indices: [0, 1])[.audio] == whole[.audio])
        // Every sound is drawn at some time.
        let lengths = try (0..<40).map { epoch -> Int in
            guard case .frames(_, _, _, let lengths) = try first.batch(epoch: epoch, indices: [0])[.audio] else {
                return 0
            }
            return lengths[0]
        }
        #expect(Set(lengths).count == 4)
        // A sound for each caption, or one for all.
        let pairs = try collator(dataset, sampling: sampling(sounds: 2)).batch(epoch: 0, indices: [0, 1])
        guard case .frames(_, 2, _, let both) = pairs[.audio] else {
            Issue.record("\(String(describing: pairs[.audio]))")
            return
        }
        #expect(both.count == 4)
        #expect(throws: ConcordError.self) { try collator(dataset, sampling: sampling(sounds: 3)) }
    }

    private func sampling(sounds: Int) -> CaptionSampling {
        var sampling = CaptionSampling(captionsPerImage: 2)
        sampling.soundsPerImage = sounds
        return sampling
    }

    @Test(arguments: BadInputPolicy.allCases)
    func undecodableIsNotAbsent(_ policy: BadInputPolicy) throws {
        try folder.write("0.flac", "no sound")
        try folder.write("2.png", "no picture")
        let dataset = try read(
            "captions.tsv", "image\tcaption\taudio\n0.png\tzero\t0.flac\n1.png\tone\t1.flac\n2.png\ttwo\t\n", policy)
        let collator = try collator(dataset, policy)
        if policy == .fail {
            let error = #expect(throws: ConcordError.self) { try collator.batch(epoch: 0, indices: [0, 1]) }
            #expect(error?.code == .invalidDataset && error?.message.contains("line 2") == true)
            return
        }
        let batch = try collator.batch(epoch: 0, indices: [0, 1, 2])
        #expect(collator.skipped.map(\.reason) == [.undecodableSound, .undecodableImage])
        #expect(collator.skipped.map(\.line) == [2, 4])
        #expect(collator.skipped.allSatisfy { $0.isPartial == (policy == .absent) })
        if policy == .absent {
            // The third row has nothing left to compare its caption with.
            #expect(batch.sampleIDs.prefix(2) == [0, 1] && batch.sampleIDs[2] != 2)
            #expect(batch.rows(with: .audio)?.contains(0) == false)
            #expect(batch.rows(with: .image) == nil)
        } else {
            #expect(batch.sampleIDs == [1, 1, 1])
        }
    }

    @Test func tooManyBadInputsEndTheRun() throws {
        for index in 0..<3 { try folder.write("\(index).flac", "no sound") }
        let dataset = try read(
            "captions.tsv",
            "image\tcaption\taudio\n" + (0..<4).map { "\($0).png\t\($0)\t\($0).flac\n" }.joined())
        let error = #expect(throws: ConcordError.self) {
            try collator(dataset, skipped: 0.5).batch(epoch: 0, indices: [0, 1, 2, 3])
        }
        #expect(error?.code == .tooManySkippedRows && error?.message.contains("undecodableSound") == true)
    }
}
