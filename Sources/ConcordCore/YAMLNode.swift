import CYAML

/// A value of a YAML document, every plain value as the text that was written. Read by LibYAML.
package indirect enum YAMLNode: Hashable, Sendable {
    case scalar(String)
    case sequence([YAMLNode])
    /// In the order of the document; no key is there twice.
    case mapping([Member])

    package struct Member: Hashable, Sendable {
        package let key: String
        package let value: YAMLNode
    }

    /// The text of a plain value; nil for lists and mappings.
    package var text: String? {
        if case .scalar(let text) = self { text } else { nil }
    }

    /// Reads a text of one document; nil where there is nothing but comments.
    ///
    /// - Parameter source: what errors call the text.
    /// - Throws: `.invalidConfiguration`, with the line, for what is not YAML, for more than one document, for a key
    ///   that is no plain value or is there twice, and for values that aliases make too many or too deep.
    package static func read(_ yaml: String, source: String) throws(ConcordError) -> YAMLNode? {
        var yaml = yaml
        let result = yaml.withUTF8 { bytes in
            Result { () throws(ConcordError) in
                var document = try YAMLDocument(bytes, source: source)
                defer { document.free() }
                return try document.root()
            }
        }
        return try result.get()
    }
}

/// A document in the memory of LibYAML.
private struct YAMLDocument {
    /// Far more than a file of settings has; aliases can make much of little.
    private static let limits = (depth: 64, nodes: 100_000)

    private var document = yaml_document_t()
    private var nodeCount = 0
    private let source: String

    init(_ bytes: UnsafeBufferPointer<UInt8>, source: String) throws(ConcordError) {
        self.source = source
        // The parser keeps its own address.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            throw ConcordError(.invalidConfiguration, "no memory is left to read \(source)")
        }
        defer { yaml_parser_delete(parser) }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
        guard yaml_parser_load(parser, &document) == 1 else { throw Self.failure(of: parser.pointee, source) }

        // A second document would go unnoticed; after the last, there is an empty one.
        var next = yaml_document_t()
        let isReadable = yaml_parser_load(parser, &next) == 1
        let second = isReadable ? yaml_document_get_root_node(&next)?.pointee.start_mark.line : nil
        if isReadable { yaml_document_delete(&next) }
        guard isReadable, second == nil else {
            yaml_document_delete(&document)
            guard let second else { throw Self.failure(of: parser.pointee, source) }
            throw ConcordError(
                .invalidConfiguration, "\(source) is not valid YAML: a second document begins at line \(second + 1)")
        }
    }

    mutating func free() { yaml_document_delete(&document) }

    mutating func root() throws(ConcordError) -> YAMLNode? {
        guard let root = yaml_document_get_root_node(&document) else { return nil }
        return try node(root, depth: 0)
    }

    private mutating func node(
        _ node: UnsafeMutablePointer<yaml_node_t>, depth: Int
    ) throws(ConcordError) -> YAMLNode {
        nodeCount += 1
        guard depth < Self.limits.depth else {
            throw invalid(node, "more than \(Self.limits.depth) lists and mappings are inside each other")
        }
        guard nodeCount <= Self.limits.nodes else {
            throw invalid(node, "there are more than \(Self.limits.nodes) values, those that aliases repeat included")
        }
        switch node.pointee.type {
        case YAML_SCALAR_NODE:
            return .scalar(text(node))
        case YAML_SEQUENCE_NODE:
            let items = node.pointee.data.sequence.items
            var values: [YAMLNode] = []
            for item in UnsafeBufferPointer(start: items.start, count: items.top - items.start) {
                values.append(try self.node(try child(item, of: node), depth: depth + 1))
            }
            return .sequence(values)
        case YAML_MAPPING_NODE:
            let pairs = node.pointee.data.mapping.pairs
            var members: [YAMLNode.Member] = []
            var lines: [String: Int] = [:]
            for pair in UnsafeBufferPointer(start: pairs.start, count: pairs.top - pairs.start) {
                let keyNode = try child(pair.key, of: node)
                guard keyNode.pointee.type == YAML_SCALAR_NODE else {
                    throw invalid(keyNode, "a key must be a plain value")
                }
                let key = text(keyNode)
                if let first = lines.updateValue(Self.line(keyNode), forKey: key) {
                    throw invalid(keyNode, "the key \"\(key)\" is at line \(first) already; remove one of them")
                }
                members.append(.init(key: key, value: try self.node(try child(pair.value, of: node), depth: depth + 1)))
            }
            return .mapping(members)
        default:
            throw invalid(node, "a value of an unknown kind")
        }
    }

    private mutating func child(
        _ index: Int32, of parent: UnsafeMutablePointer<yaml_node_t>
    ) throws(ConcordError) -> UnsafeMutablePointer<yaml_node_t> {
        guard let node = yaml_document_get_node(&document, index) else { throw invalid(parent, "a value is missing") }
        return node
    }

    private func text(_ node: UnsafeMutablePointer<yaml_node_t>) -> String {
        let scalar = node.pointee.data.scalar
        return String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    }

    private static func line(_ node: UnsafeMutablePointer<yaml_node_t>) -> Int { node.pointee.start_mark.line + 1 }

    private func invalid(_ node: UnsafeMutablePointer<yaml_node_t>, _ problem: String) -> ConcordError {
        ConcordError(.invalidConfiguration, "\(source) is not valid YAML: line \(Self.line(node)): \(problem)")
    }

    private static func failure(of parser: yaml_parser_t, _ source: String) -> ConcordError {
        let problem = parser.problem.map { String(cString: $0) } ?? "no memory is left"
        // What is wrong with a character is found before lines are counted.
        let place =
            parser.error == YAML_READER_ERROR
            ? "byte \(parser.problem_offset)"
            : "line \(parser.problem_mark.line + 1), column \(parser.problem_mark.column + 1)"
        let context = parser.context.map { " (\(String(cString: $0)))" } ?? ""
        return ConcordError(.invalidConfiguration, "\(source) is not valid YAML: \(place): \(problem)\(context)")
    }
}
