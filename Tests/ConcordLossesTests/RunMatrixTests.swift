import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

/// Twenty steps of training on any number of processes are those of one: see `Sources/Programs/PlanMatrix`.
@Suite struct RunMatrixTests {
    @Test(arguments: [1, 2, 3, 4]) func runsAgree(_ world: Int) throws {
        let rows = try PlanMatrixTests.rows(["--runs", "--small", "--worlds", "\(world)"])
        // 4 recipes × 2 types, and the moments kept whole or shared out.
        #expect(rows.count == 4 * 2 * (world == 1 ? 1 : 2))
        for row in rows {
            let weights = try #require(row["weight_error"]?.double), losses = try #require(row["loss_error"]?.double)
            if row["dtype"]?.string == "float64" { #expect(weights <= 1e-10, "\(row.text())") }
            #expect(losses <= 1e-6, "\(row.text())")
            if row["sharded"]?.bool == true { #expect(row["same_bits"]?.bool == true, "\(row.text())") }
        }
    }
}
