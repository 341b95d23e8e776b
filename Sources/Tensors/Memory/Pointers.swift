/// Calls `body` with the addresses of arrays that it reads.
///
/// The compiler converts every array to its address. The addresses are valid until `body` returns.
@inlinable
@inline(__always)
package func withPointers<each Read, Result>(
    reading sources: repeat UnsafePointer<each Read>,
    body: (repeat UnsafePointer<each Read>) -> Result
) -> Result {
    body(repeat each sources)
}

/// Calls `body` with the address of an array that it writes and the addresses of arrays that it
/// reads.
///
/// The written array is passed with `&`. No other code can use that array until `body` returns.
@inlinable
@inline(__always)
package func withPointers<Written, each Read, Result>(
    writing target: UnsafeMutablePointer<Written>,
    reading sources: repeat UnsafePointer<each Read>,
    body: (UnsafeMutablePointer<Written>, repeat UnsafePointer<each Read>) -> Result
) -> Result {
    body(target, repeat each sources)
}

/// Calls `body` with the addresses of two arrays that it writes and of arrays that it reads.
@inlinable
@inline(__always)
package func withPointers<Written, Other, each Read, Result>(
    writing target: UnsafeMutablePointer<Written>, _ other: UnsafeMutablePointer<Other>,
    reading sources: repeat UnsafePointer<each Read>,
    body: (
        UnsafeMutablePointer<Written>, UnsafeMutablePointer<Other>, repeat UnsafePointer<each Read>
    ) -> Result
) -> Result {
    body(target, other, repeat each sources)
}
