import ConcordCore
import ConcordData
import Testing

@Suite struct DelimitedParserTests {
    /// Every row equals what Python's `csv` module reads (scripts/golden/make_data.py).
    @Test func rowsEqualPythonCSV() throws {
        let path = goldenFolder + "/delimited.json"
        let cases = try #require(try JSONValue(parsing: Files.read(path), source: path).elements)
        #expect(cases.count > 800)
        for golden in cases {
            let text = try #require(golden["text"]?.string)
            let delimiter = try #require(golden["delimiter"]?.string?.utf8.first)
            let expected = try #require(golden["rows"]?.elements).map { row in
                (row.elements ?? []).map { Array(($0.string ?? "").utf8) }
            }
            #expect(parse(text, delimiter).map(\.fields) == expected, "\(text.debugDescription)")
        }
    }

    @Test func countsPhysicalLines() {
        let rows = parse("a,b\r\n\"x\ny\",1\r\n\r\nz,2\r\"p\rq\",3\nlast,4", UInt8(ascii: ","))
        #expect(rows.map(\.line) == [1, 2, 5, 6, 8])
    }

    @Test func unclosedQuoteCostsOneLineOnly() {
        let rows = parse("a,b\n1,\"open\n2,x\n3,y\n", UInt8(ascii: ","))
        #expect(rows.map(\.isUnclosed) == [false, true, false, false])
        #expect(rows.map(\.line) == [1, 2, 3, 4])
        #expect(rows[3].fields == [Array("3".utf8), Array("y".utf8)])
    }

    @Test func quotesAreTextWhenTurnedOff() {
        let rows = parse("\"a\tb\"\n", UInt8(ascii: "\t"), usesQuotes: false)
        #expect(rows.map(\.fields) == [[Array("\"a".utf8), Array("b\"".utf8)]])
    }

    private func parse(_ text: String, _ delimiter: UInt8, usesQuotes: Bool = true) -> [DelimitedParser.Row] {
        Array(text.utf8).withUnsafeBytes { bytes in
            var parser = DelimitedParser(delimiter: delimiter, usesQuotes: usesQuotes)
            var rows: [DelimitedParser.Row] = []
            while let row = parser.next(in: bytes) { rows.append(row) }
            return rows
        }
    }
}
