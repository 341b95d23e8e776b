// A static build of the package has no Testing module and does not use this file.
#if canImport(Testing)
    public import Testing

    /// Expects two sequences of floats to agree element by element.
    public func expectClose<Value: BinaryFloatingPoint>(
        _ got: [Value], _ want: [Value], absolute: Value = 0, relative: Value = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(got.count == want.count, sourceLocation: sourceLocation)
        guard got.count == want.count else { return }
        for index in got.indices
        where !(abs(got[index] - want[index]) <= absolute + relative * abs(want[index])) {
            Issue.record(
                "element \(index): \(got[index]), expected \(want[index])",
                sourceLocation: sourceLocation)
            return
        }
    }
#endif
