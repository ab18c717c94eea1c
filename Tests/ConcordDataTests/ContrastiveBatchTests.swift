import ConcordCore
import ConcordData
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

@Suite struct ContrastiveBatchTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Twelve flat pictures of different greys, each with English and Chinese captions of three kinds; those in
    /// `broken` are no pictures.
    private func dataset(broken: Set<Int> = []) throws -> CaptionDataset {
        let items = try (0..<12).map { index in
            let name = "\(index).png"
            if broken.contains(index) {
                try folder.write(name, "not a picture")
            } else {
                let pixels = [UInt8](repeating: UInt8(index * 20), count: 12 * 12 * 3)
                try Image(width: 12, height: 12, pixels: pixels).write(to: "\(folder.path)/\(name)", as: .png)
            }
            let captions = ["en", "zh"].flatMap { (language: String) in
                [
                    Caption("\(language) name \(index)", language: language, kind: "name"),
                    Caption("\(language) fruit", language: language, kind: "keyword"),
                    Caption("\(language) food", language: language, kind: "keyword"),
                    Caption("\(language) natural \(index)", language: language, kind: "natural"),
                ]
            }
            return CaptionItem(image: name, captions: captions, line: index + 1)
        }
        return CaptionDataset(folder: folder.path, items: items, captionFile: "captions.jsonl")
    }

    private func builder(
        _ dataset: CaptionDataset, sampling: CaptionSampling = .init(), augmentation: TrainingAugmentation? = nil,
        cacheLimit: Int = 1 << 20, maximumSkippedFraction: Double = 0.1
    ) throws -> ContrastiveCollator {
        try ContrastiveCollator(
            dataset: dataset, preprocessing: .clip(size: 8), augmentation: augmentation, sampling: sampling, seed: 3,
            cacheLimit: cacheLimit, maximumSkippedFraction: maximumSkippedFraction,
            tokenize: { $0.map { $0.utf8.map(Int32.init) } })
    }

    private var jitter: TrainingAugmentation {
        var augmentation = TrainingAugmentation()
        augmentation.brightness = 0.4
        augmentation.jitterProbability = 1
        return augmentation
    }

    @Test func pixelsAreThoseOfThePreprocessing() throws {
        let dataset = try dataset()
        let batch = try builder(dataset).batch(epoch: 0, indices: [7, 2])
        let expected = try [7, 2].flatMap { index in
            ImagePreprocessing.clip(size: 8)(try Image(contentsOf: #require(dataset.path(of: dataset.items[index]))))
        }
        #expect(batch[.image] == .numbers(expected, shape: [3, 8, 8]))
        #expect(batch.sampleIDs == [7, 2] && batch.count == 2 && batch.rows == 0..<2)
        #expect(batch[.text] == .tokens(batch.captions.map { $0.map { $0.utf8.map(Int32.init) } }))
        #expect(batch[.audio] == nil)
    }

    @Test func batchesDependOnSeedEpochAndItemsOnly() throws {
        let dataset = try dataset()
        let first = try builder(dataset, augmentation: jitter)
        let whole = try first.batch(epoch: 1, indices: [4, 5, 6])
        // Another builder, without a cache, asked out of order.
        let second = try builder(dataset, augmentation: jitter, cacheLimit: 0)
        let other = try second.batch(epoch: 2, indices: [4, 5, 6])
        let again = try second.batch(epoch: 1, indices: [4, 5, 6])
        #expect(again[.image] == whole[.image] && again.captions == whole.captions)
        #expect(other[.image] != whole[.image])
    }

    @Test func loaderEqualsTheBuilderAndResumes() throws {
        let builder = try builder(try dataset(), augmentation: jitter)
        let sampler = DistributedSampler(count: 12, batchSize: 5, seed: 8)
        #expect(sampler.batchesPerEpoch == 2)
        let loader = builder.loader(sampler: sampler, batches: 0..<6, threads: 3, ahead: 4)
        let resumed = builder.loader(sampler: sampler, batches: 3..<6, threads: 1)
        for number in 0..<6 {
            let batch = try #require(try loader.next())
            let expected = try builder.batch(epoch: number / 2, indices: sampler.batches(epoch: number / 2)[number % 2])
            #expect(batch[.image] == expected[.image] && batch.captions == expected.captions)
            if number >= 3 { #expect(try resumed.next()?[.image] == batch[.image]) }
        }
        #expect(try loader.next() == nil)
    }

    @Test(arguments: [2, 3, 5], [false, true])
    func processesShareTheBatchOfOne(worldSize: Int, avoidsDuplicates: Bool) throws {
        let dataset = try dataset(broken: [4])
        let sampling = CaptionSampling(captionsPerImage: 2, avoidsDuplicateCaptions: avoidsDuplicates)
        let indices = [3, 4, 5, 0, 9, 7, 8]
        let whole = try builder(dataset, sampling: sampling, augmentation: jitter).batch(epoch: 2, indices: indices)
        let parts = try (0..<worldSize).map { rank in
            let share = DistributedSampler(count: 12, batchSize: 7, seed: 1, rank: rank, worldSize: worldSize).share(
                of: 7)
            return try builder(dataset, sampling: sampling, augmentation: jitter)
                .batch(epoch: 2, indices: indices, rows: share)
        }
        #expect(parts.flatMap(\.sampleIDs) == whole.sampleIDs)
        #expect(Set(parts.map(\.count)).count <= 2)
        for view in 0..<2 { #expect(parts.flatMap { $0.captions[view] } == whole.captions[view]) }
        let pixels = parts.map { part -> [Float] in
            if case .numbers(let values, _) = part[.image] { values } else { [] }
        }
        #expect(.numbers(pixels.flatMap(\.self), shape: [3, 8, 8]) == whole[.image])
    }

    @Test func slotsHaveTheirLanguages() throws {
        let sampling = CaptionSampling(captionsPerImage: 3, languages: ["en", "zh", nil])
        let batch = try builder(try dataset(), sampling: sampling).batch(epoch: 0, indices: Array(0..<12))
        #expect(batch.captions.count == 3)
        #expect(batch.captions[0].allSatisfy { $0.hasPrefix("en") })
        #expect(batch.captions[1].allSatisfy { $0.hasPrefix("zh") })
        #expect(Set(batch.captions[2].map { $0.prefix(2) }) == ["en", "zh"])
    }

    @Test func kindsComeByWeight() throws {
        let sampling = CaptionSampling(
            weights: ["name": 3, "keyword": 1], languages: ["en"], avoidsDuplicateCaptions: false)
        let builder = try builder(try dataset(), sampling: sampling)
        let drawn = try (0..<200).flatMap { try builder.batch(epoch: $0, indices: Array(0..<12)).captions[0] }
        let names = drawn.count { $0.contains("name") }
        #expect(!drawn.contains { $0.contains("natural") })
        // 2400 draws with probability 3/4: mean 1800, standard deviation 21.
        #expect((1700...1900).contains(names))
    }

    @Test func duplicateCaptionsAreAvoidedWherePossible() throws {
        let dataset = try dataset()
        func duplicates(_ avoids: Bool) throws -> Int {
            let sampling = CaptionSampling(languages: ["en"], avoidsDuplicateCaptions: avoids)
            let texts = try builder(dataset, sampling: sampling).batch(epoch: 0, indices: Array(0..<12)).captions[0]
            return texts.count - Set(texts).count
        }
        #expect(try duplicates(false) > 0)
        #expect(try duplicates(true) == 0)
    }

    @Test func undecodablePictureIsReplacedAndReported() throws {
        let dataset = try dataset(broken: [4])
        let builder = try builder(dataset)
        let batch = try builder.batch(epoch: 0, indices: [3, 4, 5])
        #expect(batch.sampleIDs[0] == 3 && batch.sampleIDs[2] == 5)
        #expect(![3, 4, 5].contains(batch.sampleIDs[1]))
        #expect(try self.builder(dataset).batch(epoch: 0, indices: [3, 4, 5]).sampleIDs == batch.sampleIDs)
        #expect(builder.skipped.map(\.reason) == [.undecodableImage])
        #expect(builder.skipped[0].line == 5 && builder.skipped[0].detail.contains("4.png"))
    }

    @Test func tooManyUndecodablePicturesStop() throws {
        let builder = try builder(try dataset(broken: [1, 2]))
        let error = #expect(throws: ConcordError.self) { try builder.batch(epoch: 0, indices: Array(0..<12)) }
        #expect(error?.code == .tooManySkippedRows)
        #expect(error?.message.contains("undecodableImage 2") == true)
    }

    @Test func impossibleSamplingIsRefused() throws {
        let dataset = try dataset()
        for sampling in [
            CaptionSampling(captionsPerImage: 0), CaptionSampling(weights: ["name": -1]),
            CaptionSampling(weights: ["nam": 1]), CaptionSampling(captionsPerImage: 1, languages: ["en", "zh"]),
            CaptionSampling(weights: ["name": 1, "keywords": 1]), CaptionSampling(languages: ["eng"]),
        ] {
            let error = #expect(throws: ConcordError.self) { try builder(dataset, sampling: sampling) }
            #expect(error?.code == .invalidConfiguration)
        }
        #expect(throws: ConcordError.self) { try builder(CaptionDataset(folder: "x", items: [])) }
        let unknown = #expect(throws: ConcordError.self) {
            try builder(dataset, sampling: CaptionSampling(languages: ["eng"]))
        }
        #expect(
            unknown?.message.contains("did you mean `en`? the data set has en, zh") == true, "\(unknown?.message ?? "")"
        )
    }
}
