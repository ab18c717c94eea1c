import ConcordCore
import ConcordData

/// What an emoji dataset holds, and what it was made from. Written as `dataset.json`.
public struct EmojiDatasetSummary: Sendable {
    static let format = "concord-emoji"

    public let pictures: Int
    public let heldOut: Int
    /// Number of captions per language, in the order the languages were asked for, then per kind.
    public let captions: [(language: String, kinds: [(kind: String, count: Int)])]
    /// Number of sequences that were not drawn, per reason.
    public let skipped: [(reason: String, count: Int)]
    /// Trained captions that were left out because a held-out picture has the same text.
    public let removedCaptions: Int
    public let size: Int
    /// Debian packages with their versions; empty on other systems.
    public let packages: [(name: String, version: String)]

    init(plan: EmojiDatasetPlan, languages: [String], size: Int) {
        pictures = plan.entries.count
        heldOut = plan.entries.count { $0.sequence.split == EmojiSequence.heldOut }
        var counts: [String: [String: Int]] = [:]
        for caption in plan.entries.flatMap(\.captions) {
            counts[caption.language ?? "", default: [:]][caption.kind ?? "", default: 0] += 1
        }
        captions = languages.map { $0.replacing("_", with: "-") }.map { language in
            (language, ["name", "natural", "keyword"].map { ($0, counts[language]?[$0] ?? 0) })
        }
        skipped = Dictionary(grouping: plan.skipped, by: \.reason).map { ($0.key, $0.value.count) }
            .sorted { $0.0 < $1.0 }
        removedCaptions = plan.removedCaptions
        self.size = size
        packages = ["fonts-noto-color-emoji", "unicode-cldr-core"].compactMap { name in
            Self.debianVersion(of: name).map { (name, $0) }
        }
    }

    public var json: JSONValue {
        func object(_ members: [(String, JSONValue)]) -> JSONValue {
            .object(members.map { JSONValue.Member($0.0, $0.1) })
        }
        return [
            "format": .string(Self.format), "version": 1, "pictures": .integer(pictures),
            "heldOut": .integer(heldOut), "size": .integer(size),
            "captions": object(
                captions.map { ($0.language, object($0.kinds.map { ($0.kind, .integer($0.count)) })) }),
            "skipped": object(skipped.map { ($0.reason, .integer($0.count)) }),
            "removedCaptions": .integer(removedCaptions),
            "packages": object(packages.map { ($0.name, .string($0.version)) }),
        ]
    }

    /// The version of an installed Debian package, from dpkg's own list.
    private static func debianVersion(of package: String) -> String? {
        guard let bytes = try? Files.read("/var/lib/dpkg/status") else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(of: "Package: " + package[...]) else { return nil }
        return lines[start...].prefix { !$0.isEmpty }.first { $0.hasPrefix("Version: ") }
            .map { String($0.dropFirst("Version: ".count)) }
    }
}
