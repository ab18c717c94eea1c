import ConcordCore
import Foundation

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Names and keywords of emoji in one language, from Unicode CLDR (`annotations` and `annotationsDerived`).
public struct CLDRAnnotations: Sendable {
    /// What CLDR says of one emoji.
    public struct Entry: Sendable, Hashable {
        /// The short name (`type="tts"`), empty when CLDR gives none.
        public var name = ""
        public var keywords: [String] = []
    }

    /// The language as a BCP 47 tag (`en`, `zh-Hant`).
    public let language: String
    public let entries: [EmojiSequence: Entry]

    /// Where Debian's package `unicode-cldr-core` puts CLDR's folder `common`.
    public static let folders = ["/usr/share/unicode/cldr/common", "/usr/local/share/unicode/cldr/common"]

    /// The first of `folders` that exists. Throws `.unavailable` with the package to install.
    public static func findFolder(among folders: [String] = folders) throws(ConcordError) -> String {
        if let folder = folders.first(where: { Files.exists($0 + "/annotations/en.xml") }) { return folder }
        throw ConcordError(
            .unavailable,
            "no CLDR annotations in \(folders.joined(separator: ", ")); install them with "
                + "`apt-get install unicode-cldr-core`, or name CLDR's folder `common`")
    }

    /// Reads the annotations of `language` (`en`, `zh`, `pt_PT`, `zh-Hant`) below CLDR's folder `common`.
    ///
    /// What a regional file leaves out is taken from the language itself (`en_GB` from `en`).
    /// Throws `.unavailable` when CLDR has no such language, `.malformedText` when a file is damaged.
    public init(language: String, folder: String) throws(ConcordError) {
        let tag = language
        let language = tag.replacing("-", with: "_")
        guard !language.isEmpty, language.utf8.allSatisfy(Self.isTagByte),
            Files.exists("\(folder)/annotations/\(language).xml")
        else {
            throw Self.unknownLanguage(tag, folder: folder)
        }
        var entries: [EmojiSequence: Entry] = [:]
        for ancestor in Self.lineage(of: language) {
            for kind in ["annotations", "annotationsDerived"] {
                let path = "\(folder)/\(kind)/\(ancestor).xml"
                guard Files.exists(path) else { continue }
                try AnnotationReader.read(path, into: &entries)
            }
        }
        self.language = language.replacing("_", with: "-")
        self.entries = entries
    }

    /// The files to read, the more general first. A script is no region: `zh_Hant` takes nothing from `zh`.
    private static func lineage(of language: String) -> [String] {
        guard let separator = language.lastIndex(of: "_") else { return [language] }
        let isScript = language.distance(from: separator, to: language.endIndex) == 5
        return (isScript ? [] : lineage(of: String(language[..<separator]))) + [language]
    }

    private static func isTagByte(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || Unicode.Scalar(byte).properties.isASCIIHexDigit
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func unknownLanguage(_ language: String, folder: String) -> ConcordError {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/annotations")) ?? []
        let known = files.filter { $0.hasSuffix(".xml") }.map { String($0.dropLast(4)) }.sorted()
        let hint = NearestName.suggestion(for: language, among: known).map { "; did you mean `\($0)`?" } ?? "."
        return ConcordError(
            .unavailable,
            "CLDR in \(folder) has no annotations in language `\(language)`\(hint) Known: "
                + known.joined(separator: " "))
    }
}

/// Collects `<annotation cp="…" type="tts">…</annotation>` of one file.
private final class AnnotationReader: NSObject, XMLParserDelegate {
    private var entries: [EmojiSequence: CLDRAnnotations.Entry]
    private var sequence: EmojiSequence?
    private var isName = false
    private var text = ""
    private var failed = false

    private init(entries: [EmojiSequence: CLDRAnnotations.Entry]) { self.entries = entries }

    static func read(_ path: String, into entries: inout [EmojiSequence: CLDRAnnotations.Entry]) throws(ConcordError) {
        let parser = XMLParser(data: Data(try Files.read(path)))
        let reader = AnnotationReader(entries: entries)
        parser.delegate = reader
        // libxml2 recovers from some faults and says that it went well; the delegate hears of them all.
        guard parser.parse(), !reader.failed else {
            throw ConcordError(
                .malformedText,
                "\(path) is not valid XML near line \(parser.lineNumber); reinstall unicode-cldr-core")
        }
        entries = reader.entries
    }

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        guard element == "annotation", let characters = attributes["cp"] else { return }
        sequence = EmojiSequence(characters)
        isName = attributes["type"] == "tts"
        text = ""
    }

    func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) { failed = true }

    func parser(_ parser: XMLParser, foundCharacters characters: String) {
        if sequence != nil { text += characters }
    }

    func parser(_ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?) {
        guard let sequence else { return }
        self.sequence = nil
        // Three arrows say "the same as the parent language", whose entry is there already.
        guard !text.contains("↑↑↑") else { return }
        if isName {
            entries[sequence, default: .init()].name = text.trimmed
        } else {
            entries[sequence, default: .init()].keywords = text.split(separator: "|").map { String($0).trimmed }
                .filter { !$0.isEmpty }
        }
    }
}
