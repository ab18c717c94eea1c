import ConcordCore

/// Typed access to a preprocessing configuration: what the file says, or what its reader takes where the file is silent.
struct PreprocessingReader {
    let config: JSONValue
    /// Values for members that the file lacks; an object.
    let defaults: JSONValue

    /// The edges, in pixels, that a configuration may ask for.
    static let edges = 1...8192

    func problem(_ text: String) -> ConcordError {
        ConcordError(.invalidConfiguration, "the preprocessing configuration \(text)")
    }

    /// A member; nil for null, which does not bring back the default.
    func value(_ key: String) -> JSONValue? {
        let value = config[key] ?? defaults[key]
        return value?.isNull == true ? nil : value
    }

    /// A truth value; false where it is null or not there.
    func flag(_ key: String) throws(ConcordError) -> Bool {
        guard let value = value(key) else { return false }
        guard let flag = value.bool else { throw problem("has \(key) \(value.text()); write true or false") }
        return flag
    }

    /// Three numbers, one for each channel; a single one stands for all three.
    func channels(_ key: String) throws(ConcordError) -> [Double] {
        let value = value(key)
        let numbers = value?.double.map { [$0, $0, $0] } ?? value?.elements?.compactMap(\.double) ?? []
        guard numbers.count == 3, value?.elements?.count ?? 3 == 3, numbers.allSatisfy({ Float($0).isFinite }) else {
            throw problem("lacks a usable \(key); write three numbers, as in [0.5, 0.5, 0.5]")
        }
        return numbers
    }

    /// As `channels`, for a standard deviation: none is 0, also not in single precision.
    func deviations(_ key: String) throws(ConcordError) -> [Double] {
        let numbers = try channels(key)
        guard numbers.allSatisfy({ Float($0) != 0 }) else {
            throw problem(
                "has \(key) \(numbers), and pixels cannot be divided by 0; write the deviation of each channel")
        }
        return numbers
    }

    func edge(_ key: String, _ value: JSONValue?) throws(ConcordError) -> Int {
        guard let edge = value?.int, Self.edges.contains(edge) else {
            throw problem(
                "lacks a usable \(key), found \(value?.text() ?? "nothing"); write a whole number of pixels from "
                    + "\(Self.edges.lowerBound) to \(Self.edges.upperBound)")
        }
        return edge
    }

    /// The edge of a square: a number, `[height, width]`, or `{"height": …, "width": …}`.
    func square(_ key: String) throws(ConcordError) -> Int {
        let value = value(key)
        if let members = value?.members, Set(members.map(\.name)) != ["height", "width"] {
            throw problem("has \(key) \(value?.text() ?? ""); write {\"height\": 224, \"width\": 224}")
        }
        let sides =
            value?.elements ?? value?.members.map { _ in [value?["height"] ?? .null, value?["width"] ?? .null] }
        guard let sides else { return try edge(key, value) }
        guard let first = sides.first, (1...2).contains(sides.count) else {
            throw problem("has \(key) \(value?.text() ?? ""); write [height, width]")
        }
        let height = try edge(key, first)
        guard try edge(key, sides.last) == height else {
            throw problem(
                "has \(key) \(value?.text() ?? ""), and only square images are supported; write two equal numbers")
        }
        return height
    }

    /// Our own addition to both formats, which their readers ignore; nil where it is not there.
    func cropRule() throws(ConcordError) -> ImagePreprocessing.CropRule? {
        guard let value = value("crop_rule") else { return nil }
        // Folders written by the first versions spell it with an underscore.
        let name = value.string == "hugging_face" ? "huggingface" : value.string
        guard let rule = name.flatMap(ImagePreprocessing.CropRule.init) else {
            throw problem("has crop_rule \(value.text()); write \"torchvision\" or \"huggingface\"")
        }
        return rule
    }
}
