import ConcordCore

// What the files of image preprocessing hold besides plain values.
extension JSONFields {
    /// The edges, in pixels, that a configuration may ask for.
    private static var edges: ClosedRange<Int> { 1...8192 }

    /// The members of a configuration, and those of its program where the file is silent. Null does not bring back the
    /// default.
    ///
    /// - Parameter defaults: an object.
    init(preprocessing config: JSONValue, defaults: JSONValue = [:]) throws(ConcordError) {
        let missing = (defaults.members ?? []).filter { config[$0.name] == nil }
        try self.init(
            config.members.map { .object($0 + missing) } ?? config, path: "the preprocessing configuration")
    }

    func problem(_ text: String) -> ConcordError { ConcordError(.invalidConfiguration, "\(path) \(text)") }

    /// Three numbers, one for each channel; a single one stands for all three.
    func channels(_ key: String) throws(ConcordError) -> [Double] {
        let value = self[key]
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
        let value = self[key]
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
        guard let value = self["crop_rule"] else { return nil }
        // Folders written by the first versions spell it with an underscore.
        let name = value.string == "hugging_face" ? "huggingface" : value.string
        guard let rule = name.flatMap(ImagePreprocessing.CropRule.init) else {
            throw problem("has crop_rule \(value.text()); write \"torchvision\" or \"huggingface\"")
        }
        return rule
    }
}
