import ConcordCore
import Foundation

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Recordings of people saying words, in Debian packages: to test with, never to train on.
package struct HumanRecording: Sendable {
    /// The file, and where its clip goes in the data set.
    let file, path: String
    package let text: String
    let voice: String
    /// The rows of evaluation tables that it counts in: words and phrases each among their like.
    let condition: String
    let language = "en"
}

package enum HumanRecordings {
    /// Where the packages put their files.
    package struct Folders: Sendable {
        package var ktuberling = "/usr/share/ktuberling"
        package var asterisk = "/usr/share/asterisk/sounds/en_US_f_Allison"
        package var asteriskTranscripts = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"

        package init() {}
    }

    /// The packages that add recordings.
    package static let packages = ["ktuberling-data", "asterisk-core-sounds-en", "asterisk-core-sounds-en-wav"]

    /// The recordings that are installed; none where no package is.
    ///
    /// - Throws: `.malformedText` for a list of them that is damaged.
    package static func find(_ folders: Folders = .init()) throws(ConcordError) -> [HumanRecording] {
        try ktuberling(folders) + asterisk(folders)
    }

    /// The words of KTuberling, a game with stickers: what its sound theme lists and a picture theme uses.
    ///
    /// The themes call a word `moon_fallingstar` where it belongs to one picture theme, and `hat` where to all.
    private static func ktuberling(_ folders: Folders) throws(ConcordError) -> [HumanRecording] {
        let theme = folders.ktuberling + "/sounds/en.soundtheme"
        guard Files.exists(theme) else { return [] }
        let pictures = folders.ktuberling + "/pics"
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: pictures)) ?? []).sorted()
        var used = Set<String>()
        for name in names where name.hasSuffix(".theme") {
            for object in try ThemeReader.elements("object", in: pictures + "/" + name) {
                if let sound = object["sound"] { used.insert(sound) }
            }
        }
        return try ThemeReader.elements("sound", in: theme).compactMap { sound in
            guard let name = sound["name"], let file = sound["file"], used.contains(name) else { return nil }
            let words = name.split(separator: "_")
            let word = words.count > 1 ? words.dropFirst().joined(separator: " ") : name
            return HumanRecording(
                file: "\(folders.ktuberling)/sounds/\(file)", path: "sounds/human/ktuberling/\(name).flac",
                text: spelling[word] ?? word, voice: "ktuberling", condition: SpeechVoice.Condition.human.rawValue)
        }
    }

    /// Words that KTuberling spells or joins otherwise than they are written.
    private static let spelling = [
        "tv": "television", "palmtree": "palm tree", "fallingstar": "falling star", "brocolli": "broccoli",
        "sphynx": "sphinx", "moonwalker": "moon walker", "ufo": "UFO",
    ]

    /// The phrases of Asterisk's announcements of up to five words, by one speaker, over a telephone's 8 kHz.
    private static func asterisk(_ folders: Folders) throws(ConcordError) -> [HumanRecording] {
        guard Files.exists(folders.asteriskTranscripts), Files.isFolder(folders.asterisk) else { return [] }
        let gzip = try ExternalProgram("gzip", purpose: "unpacks the transcripts of Asterisk's recordings")
        let transcripts = try gzip.output(["-dc", folders.asteriskTranscripts])
        return String(decoding: transcripts, as: UTF8.self).split(separator: "\n").compactMap { line in
            guard !line.hasPrefix(";"), let colon = line.firstRange(of: ": ") else { return nil }
            let name = line[..<colon.lowerBound].trimmed
            var text = String(line[colon.upperBound...])
            // What stands in brackets is not said: `at [@]`; alone it describes a noise: `[ascending tones]`.
            if let bracket = text.firstIndex(of: "[") { text = String(text[..<bracket]) }
            text = text.trimmed
            while text.last == "." { text.removeLast() }
            let words = text.split(separator: " ").count, file = "\(folders.asterisk)/\(name).wav"
            guard (1...5).contains(words), Files.exists(file) else { return nil }
            return HumanRecording(
                file: file, path: "sounds/human/asterisk/\(name.replacing("/", with: "-")).flac",
                text: text.lowercased(), voice: "asterisk",
                condition: SpeechVoice.Condition.human.rawValue + ", "
                    + (name.firstIndex(of: "/").map { String(name[..<$0]) } ?? "phrases"))
        }
    }
}

/// The attributes of the elements of a small XML file.
private final class ThemeReader: NSObject, XMLParserDelegate {
    private let element: String
    private var found: [[String: String]] = []
    private var failed = false

    private init(element: String) { self.element = element }

    static func elements(_ element: String, in path: String) throws(ConcordError) -> [[String: String]] {
        let parser = XMLParser(data: Data(try Files.read(path, limit: 1 << 24))), reader = ThemeReader(element: element)
        parser.delegate = reader
        guard parser.parse(), !reader.failed else {
            throw ConcordError(
                .malformedText, "\(path) is not valid XML near line \(parser.lineNumber); reinstall ktuberling-data")
        }
        return reader.found
    }

    func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) { failed = true }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        if name == element { found.append(attributes) }
    }
}
