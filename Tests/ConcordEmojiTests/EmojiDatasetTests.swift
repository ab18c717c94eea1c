import ConcordCore
import ConcordData
import ConcordEmoji
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

@Suite struct EmojiDatasetTests {
    private static let sample = ["🍎", "❤️‍🔥", "👩🏽‍🚒", "🧑🏿‍🤝‍🧑🏻", "🇳🇴", "🇧🇻", "1️⃣", "#"]

    @Test func buildsPicturesAndCaptions() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/emoji"
        let summary = try EmojiDatasetBuilder(only: Self.sample).build(to: path)
        #expect(summary.pictures == 6)
        let dataset = try CaptionDataset(contentsOf: path)
        #expect(dataset.skipped.isEmpty)
        #expect(
            dataset.items.compactMap(\.image)
                == [
                    "31-20e3", "1f1f3-1f1f4", "1f34e", "1f469-1f3fd-200d-1f692",
                    "1f9d1-1f3ff-200d-1f91d-200d-1f9d1-1f3fb",
                    "2764-200d-1f525",
                ].sorted { scalars($0) < scalars($1) }.map { "images/\($0).png" })

        let apple = try #require(dataset.items.first { $0.image == "images/1f34e.png" })
        #expect(apple.captions.first == Caption("red apple", language: "en", kind: "name"))
        #expect(apple.captions.contains(Caption("fruit", language: "en", kind: "keyword")))
        #expect(apple.captions.contains(Caption("红苹果", language: "zh", kind: "name")))
        let picture = try Image(contentsOf: try #require(dataset.path(of: apple)))
        #expect(picture.width == 128 && picture.height == 128)
        // White at the corners, red in the middle.
        #expect(picture.pixels.prefix(3) == [255, 255, 255] && picture.pixels.suffix(3) == [255, 255, 255])
        let middle = picture.pixels[(70 * 128 + 64) * 3..<(70 * 128 + 64) * 3 + 3]
        #expect(middle.first.map { $0 > 180 } == true && middle.dropFirst().allSatisfy { $0 < 90 })

        // The font draws both flags the same, so they are one picture, called after the shorter name.
        let flag = try #require(dataset.items.first { $0.image == "images/1f1f3-1f1f4.png" })
        #expect(
            flag.captions.filter { $0.kind == "name" && $0.language == "en" }.map(\.text) == [
                "flag: Norway", "flag: Bouvet Island",
            ])
        let skipped = String(decoding: try Files.read(path + "/skipped.jsonl"), as: UTF8.self)
        #expect(skipped.contains("samePicture") && skipped.contains("notEmoji"))
        let description = try JSONValue(parsing: Files.read(path + "/dataset.json"), source: "dataset.json")
        #expect(description["pictures"]?.int == 6 && description["captions"]?["zh"]?["name"]?.int == 7)
        let row = String(decoding: try Files.read(path + "/captions.jsonl"), as: UTF8.self)
        #expect(row.contains(#""emoji":"❤️‍🔥""#))
    }

    private func scalars(_ name: String) -> String {
        name.split(separator: "-").map { String(repeating: "0", count: 6 - $0.count) + $0 }.joined()
    }

    @Test func buildsTheSameBytesAgainAndReplacesOnlyItsOwn() throws {
        let folder = try TemporaryFolder()
        let first = folder.path + "/first", second = folder.path + "/second"
        for path in [first, second, second] {
            try EmojiDatasetBuilder(languages: ["en"], size: 48, only: Self.sample).build(to: path)
        }
        for name in ["captions.jsonl", "dataset.json", "skipped.jsonl", "images/1f34e.png"] {
            #expect(try Files.read("\(first)/\(name)") == Files.read("\(second)/\(name)"), "\(name)")
        }
        #expect(try Image(contentsOf: first + "/images/1f34e.png").width == 48)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["first", "second"])

        try folder.write("mine/notes.txt", "keep me")
        let error = #expect(throws: ConcordError.self) { try EmojiDatasetBuilder().build(to: folder.path + "/mine") }
        #expect(error?.code == .invalidDataset)
        #expect(Files.exists(folder.path + "/mine/notes.txt"))
    }

    /// The whole of CLDR and the font, without drawing.
    @Test func heldOutCombinationsDoNotLeak() throws {
        let plan = try EmojiDatasetBuilder().plan()
        #expect(plan.entries.count > 3500)
        let heldOut = plan.entries.filter { $0.sequence.split == EmojiSequence.heldOut }
        let trained = plan.entries.filter { $0.sequence.split == EmojiSequence.train }
        let combinations = plan.entries.count { $0.sequence.isSkinToneCombination }
        #expect(heldOut.count + trained.count == plan.entries.count)
        #expect(heldOut.allSatisfy { $0.sequence.isSkinToneCombination })
        #expect((0.17...0.23).contains(Double(heldOut.count) / Double(combinations)))

        // Compared by letters alone, so that commas and colons do not tell two captions apart.
        func letters(_ entries: [EmojiDatasetPlan.Entry]) -> Set<String> {
            Set(entries.flatMap { $0.captions.map { $0.text.lowercased().filter { $0.isLetter || $0.isNumber } } })
        }
        #expect(letters(heldOut).isDisjoint(with: letters(trained)))
        #expect(heldOut.allSatisfy { $0.captions.allSatisfy { $0.kind != "keyword" } })
        #expect(heldOut.allSatisfy { Set($0.captions.compactMap(\.language)) == ["en", "zh"] })
        // Their parts are trained: the untoned emoji of most of them.
        let known = Set(trained.map { $0.sequence.codePoints })
        let tones = ["1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"]
        let bases = heldOut.count { entry in
            known.contains(
                entry.sequence.codePoints.split(separator: "-").filter { !tones.contains(String($0)) }
                    .joined(separator: "-"))
        }
        #expect(bases * 10 > heldOut.count * 6)

        // No caption stands twice beside one picture, not even where twins were merged.
        for entry in plan.entries {
            let texts = entry.captions.map { [$0.language ?? "", $0.text] }
            #expect(Set(texts).count == texts.count, "\(entry.sequence.codePoints)")
        }

        // No two pictures are the same.
        let renderer = try GlyphRenderer(fontPath: GlyphRenderer.findFont())
        #expect(Set(plan.entries.map { renderer.bitmap(of: $0.glyph) }).count == plan.entries.count)
    }

    /// A folder like CLDR's `common` with English annotations only.
    private func annotations(_ rows: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("annotations/en.xml", "<ldml><annotations>\(rows)</annotations></ldml>")
        return folder
    }

    @Test func textsOfHeldOutPicturesAreTakenOutOfTraining() throws {
        let folder = try annotations(
            """
            <annotation cp="👋🏾">hand</annotation>
            <annotation cp="👋🏾" type="tts">waving hand: medium-dark</annotation>
            <annotation cp="👋">hand | Waving  Hand, medium-dark | wave</annotation>
            <annotation cp="👋" type="tts">waving &amp; hand</annotation>
            <annotation cp="🍎" type="tts">waving hand: medium-dark</annotation>
            <annotation cp="🍐" type="tts">↑↑↑</annotation>
            """)
        let plan = try EmojiDatasetBuilder(languages: ["en"], annotationsFolder: folder.path).plan()
        #expect(plan.entries.map(\.image) == ["images/1f44b.png", "images/1f44b-1f3fe.png"])
        #expect(plan.entries[0].captions.map(\.text) == ["waving & hand", "hand", "wave"])
        #expect(plan.entries[1].captions.map(\.kind) == ["name", "natural"])
        #expect(plan.removedCaptions == 3)
        // The apple lost its name and its natural form, and with them all captions.
        #expect(plan.skipped.map(\.reason) == ["noCaption"])
    }

    @Test func damagedAnnotationsAreRefused() throws {
        let folder = try annotations("<annotation cp=\"🍎\"")
        let error = #expect(throws: ConcordError.self) {
            try EmojiDatasetBuilder(languages: ["en"], annotationsFolder: folder.path).plan()
        }
        #expect(error?.code == .malformedText && error?.message.contains("en.xml") == true)
    }

    /// The split is part of the dataset's definition.
    @Test func splitIsPinned() {
        #expect(EmojiSequence("👩🏽‍🚒").hash == 12_873_953_845_435_129_920)
        #expect(EmojiSequence("🏻").split == EmojiSequence.train)
        #expect(EmojiSequence("👍").split == EmojiSequence.train)
        #expect(EmojiSequence("👩🏽‍🚒").split == EmojiSequence.heldOut)
        let waving = ["👋🏻", "👋🏼", "👋🏽", "👋🏾", "👋🏿"].map { EmojiSequence($0).split }
        #expect(waving == ["train", "train", "train", "held-out", "train"])
    }

    @Test func writesFullyQualifiedSequences() {
        for text in ["❤️‍🔥", "🏳️‍🌈", "👩🏽‍❤️‍💋‍👨🏿", "1️⃣", "🇨🇳", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🧑🏿‍🤝‍🧑🏻", "☝🏽", "☝️", "🏃🏽‍♀️", "©️"] {
            let plain = EmojiSequence(text)
            #expect(plain.text.unicodeScalars.elementsEqual(text.unicodeScalars), "\(text)")
            #expect(!plain.scalars.contains("\u{FE0F}"))
        }
        #expect(EmojiSequence("👩🏽‍🚒").codePoints == "1f469-1f3fd-200d-1f692")
        #expect(!EmojiSequence("#").isEmoji && !EmojiSequence("é").isEmoji && EmojiSequence("#️⃣").isEmoji)
    }

    @Test(arguments: ["❤️‍🔥", "🏳️‍🌈", "👩🏽‍❤️‍💋‍👨🏿", "1️⃣", "🇨🇳", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🧑🏿‍🤝‍🧑🏻", "☎️"])
    func aSequenceIsOneGlyph(_ text: String) throws {
        let renderer = try GlyphRenderer(fontPath: GlyphRenderer.findFont())
        guard case .image(let glyph) = renderer.shape(text) else {
            Issue.record("\(text) is \(renderer.shape(text))")
            return
        }
        // Without variation selectors, as CLDR writes it, it is the same glyph.
        let bare = String(String.UnicodeScalarView(EmojiSequence(text).scalars))
        #expect(renderer.shape(bare) == .image(glyph: glyph))
    }

    @Test func whatTheFontCannotDrawIsToldApart() throws {
        let renderer = try GlyphRenderer(fontPath: GlyphRenderer.findFont())
        #expect(renderer.shape("x") == .missing)
        #expect(renderer.shape("") == .missing)
        #expect(renderer.shape("🍎🍎") == .severalGlyphs(2))
        #expect(throws: ConcordError.self) { try renderer.png(of: 65_000, size: 64) }
    }

    @Test(arguments: [
        ("woman firefighter: medium skin tone", "en", "woman firefighter, medium skin tone"),
        ("flag: China", "en", "flag, China"),
        (
            "kiss: person, person, dark skin tone, light skin tone", "en",
            "kiss, person, person, dark skin tone, light skin tone"
        ),
        ("女消防员: 中等肤色", "zh", "女消防员，中等肤色"), ("旗：中国", "zh-Hant", "旗，中国"),
        ("旗: 中国", "ja", "旗、中国"), ("drapeau\u{202F}: Chine", "fr", "drapeau, Chine"),
    ])
    func naturalForms(_ name: String, _ language: String, _ expected: String) {
        #expect(EmojiCaptions.naturalForm(of: name, language: language) == expected)
    }

    @Test func namesWithoutASeparatingColonHaveNoNaturalForm() {
        #expect(EmojiCaptions.naturalForm(of: "red apple", language: "en") == nil)
        #expect(EmojiCaptions.naturalForm(of: "12:30 Uhr", language: "de") == nil)
    }

    @Test func readsNamesAndKeywordsOfCLDR() throws {
        let folder = try CLDRAnnotations.findFolder()
        let english = try CLDRAnnotations(language: "en", folder: folder)
        let firefighter = try #require(english.entries[EmojiSequence("👩🏽‍🚒")])
        #expect(firefighter.name == "woman firefighter: medium skin tone")
        #expect(
            EmojiCaptions.captions(for: firefighter, language: "en").map(\.text) == [
                "woman firefighter: medium skin tone", "woman firefighter, medium skin tone", "firefighter",
                "firetruck", "medium skin tone", "woman",
            ])
        let chinese = try CLDRAnnotations(language: "zh", folder: folder)
        #expect(chinese.entries[EmojiSequence("👩🏽‍🚒")]?.name == "女消防员: 中等肤色")
        // A regional file adds to its language.
        let british = try CLDRAnnotations(language: "en-GB", folder: folder)
        #expect(british.language == "en-GB")
        #expect(british.entries[EmojiSequence("🍎")]?.name == "red apple")
    }

    @Test func missingSourcesNameThePackage() throws {
        let font = #expect(throws: ConcordError.self) { try GlyphRenderer.findFont(among: ["/none.ttf"]) }
        #expect(font?.message.contains("fonts-noto-color-emoji") == true)
        let annotations = #expect(throws: ConcordError.self) { try CLDRAnnotations.findFolder(among: ["/none"]) }
        #expect(annotations?.message.contains("unicode-cldr-core") == true)
        let language = #expect(throws: ConcordError.self) { try EmojiDatasetBuilder(languages: ["../en"]).plan() }
        #expect(language?.code == .unavailable)
        let folder = try TemporaryFolder()
        let text = try folder.write("text.ttf", "no font")
        #expect(throws: ConcordError.self) { try GlyphRenderer(fontPath: text) }
    }
}
