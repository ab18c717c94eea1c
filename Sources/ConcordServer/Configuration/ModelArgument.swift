import ConcordCore

/// Which model to serve, and what requests call it: `[NAME=]FOLDER`.
public struct ModelArgument: Sendable, Hashable {
    /// Nil for the name in the model's manifest.
    public var name: String?
    public var folder: String

    public init(name: String? = nil, folder: String) {
        self.name = name
        self.folder = folder
    }

    /// Reads `[NAME=]FOLDER`. A name may have slashes, as in `openai/clip-vit-base-patch32`; where the text begins with a
    /// slash, a dot or a tilde, all of it is a folder. Throws `.invalidConfiguration`.
    public init(_ text: String) throws(ConcordError) {
        guard let (name, folder) = ModelName.split(text), !["/", ".", "~"].contains(name.prefix(1)) else {
            self.init(folder: text)
            return
        }
        guard ModelName.isValid(name), !folder.isEmpty else {
            throw ConcordError(
                .invalidConfiguration,
                "the model \"\(text)\" must be written NAME=FOLDER or FOLDER, with a name of \(ModelName.letters)")
        }
        self.init(name: name, folder: folder)
    }
}

/// What requests may call a model.
enum ModelName {
    static let letters = "letters, digits, - . _ : @ and /"

    /// The sides of the first sign of equality; nil without one.
    static func split(_ text: String) -> (String, String)? {
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return sides.count == 2 ? (String(sides[0]), String(sides[1])) : nil
    }

    static func isValid(_ name: String) -> Bool {
        let steps = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return steps.allSatisfy { step in
            !step.isEmpty
                && step.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "-._:@".utf8.contains(byte)
                }
        }
    }
}
