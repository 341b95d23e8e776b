/// Returns the cosine of the angle between two vectors of equal length; 1 if a vector is zero.
@inlinable
public func cosine<Scalar: BinaryFloatingPoint>(
    _ left: some Sequence<Scalar>, _ right: some Sequence<Scalar>
) -> Double {
    var (dot, first, second) = (0.0, 0.0, 0.0)
    for (left, right) in zip(left, right) {
        let (left, right) = (Double(left), Double(right))
        dot += left * right
        first += left * left
        second += right * right
    }
    let lengths = (first * second).squareRoot()
    return lengths == 0 ? 1 : dot / lengths
}
