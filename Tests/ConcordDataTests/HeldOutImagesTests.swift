import ConcordCore
import ConcordData
import ConcordTestSupport
import Foundation
import Testing

@Suite struct HeldOutImagesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A data set of pictures with their own bytes and captions, but for those that are said.
    private func dataset(
        _ count: Int, bytes: (Int) -> String = { "picture \($0)" }, captions: (Int) -> [String] = { ["caption \($0)"] }
    ) throws -> CaptionDataset {
        let items = try (0..<count).map { index in
            try folder.write("\(index).png", bytes(index))
            return CaptionItem(image: "\(index).png", captions: captions(index).map { Caption($0) })
        }
        return CaptionDataset(folder: folder.path, items: items)
    }

    private func names(_ dataset: CaptionDataset, _ held: HeldOutImages) -> Set<String> {
        Set(held.indices.map { dataset.items[$0].name })
    }

    @Test func theChoiceFollowsFromTheNamesAlone() throws {
        let dataset = try dataset(200)
        let held = HeldOutImages(20, of: dataset.items, in: dataset)
        #expect(held.indices.count == 20 && held.indices == held.indices.sorted() && held.binding == .anyCaption)
        let shuffled = Array(dataset.items.reversed())
        let other = HeldOutImages(20, of: shuffled, in: dataset)
        #expect(Set(other.indices.map { shuffled[$0].image }) == names(dataset, held))
        // A tenth of more pictures: what was held out stays so, but for the few that new ones displace.
        let half = Array(dataset.items.prefix(100))
        let few = Set(HeldOutImages(10, of: half, in: dataset).indices.map { half[$0].image })
        #expect(few.intersection(names(dataset, held)).count >= 7)
    }

    @Test func copiesAndSharedCaptionsStayOnOneSide() throws {
        // Every third picture is a copy of the one before; every fifth has the caption of the one before, in capitals.
        let dataset = try dataset(
            150, bytes: { "picture \($0 % 3 == 2 ? $0 - 1 : $0)" },
            captions: { $0 % 5 == 4 ? ["CAPTION \($0 - 1)", "own \($0)"] : ["caption \($0)"] })
        let held = HeldOutImages(30, of: dataset.items, in: dataset)
        let isHeld = Set(held.indices)
        #expect(isHeld.count >= 30 && isHeld.count < 38 && held.followers > 0)
        for index in 0..<150 {
            if index % 3 == 2 { #expect(isHeld.contains(index) == isHeld.contains(index - 1), "copy \(index)") }
            if index % 5 == 4 { #expect(isHeld.contains(index) == isHeld.contains(index - 1), "caption \(index)") }
        }
    }

    @Test func filesOfOneSizeAreNoCopies() throws {
        let dataset = try dataset(60, bytes: { String(format: "%05d", $0) })
        let held = HeldOutImages(6, of: dataset.items, in: dataset)
        #expect(held.indices.count == 6 && held.followers == 0)
    }

    @Test func labelsAreOnBothSidesButCopiesAreNot() throws {
        let dataset = try dataset(
            200, bytes: { "picture \($0 / 2)" }, captions: { ["class \($0 / 2 % 4)"] })
        let held = HeldOutImages(20, of: dataset.items, in: dataset), isHeld = Set(held.indices)
        #expect(held.binding == .nothing && isHeld.count == 20)
        for index in stride(from: 0, to: 200, by: 2) { #expect(isHeld.contains(index) == isHeld.contains(index + 1)) }
        #expect(Set(held.indices.map { $0 / 2 % 4 }).count > 1)
    }

    @Test func keywordsBindOnlyPicturesThatShareAllOfThem() throws {
        // Keywords chain all pictures together; twins have the same ones.
        let dataset = try dataset(
            120, captions: { ["word \($0 / 2 % 7)", "word \(7 + $0 / 2 % 13)", "own \($0 / 2)"] })
        let held = HeldOutImages(12, of: dataset.items, in: dataset), isHeld = Set(held.indices)
        #expect(held.binding == .allCaptions && isHeld.count == 12)
        for index in stride(from: 0, to: 120, by: 2) { #expect(isHeld.contains(index) == isHeld.contains(index + 1)) }
    }

    @Test func nothingIsHeldOutOfOnePictureAgainAndAgain() throws {
        let few = try dataset(5, bytes: { _ in "the same" })
        #expect(HeldOutImages(1, of: few.items, in: few).indices.isEmpty)
        let many = try dataset(50, bytes: { _ in "the same" })
        #expect(HeldOutImages(5, of: many.items, in: many).indices.isEmpty)
        #expect(HeldOutImages(0, of: many.items, in: many).indices.isEmpty)
    }

    @Test func aTenthButEnoughAndNotTooMany() {
        let counts = [0, 4, 5, 32, 100, 208, 1000, 1_000_000].map(HeldOutImages.usualCount)
        #expect(counts == [0, 0, 1, 6, 20, 20, 100, 2000])
    }
}
