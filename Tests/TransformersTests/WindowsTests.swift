import Testing
import Transformers

@Suite("Windows of a token stream")
struct WindowsTests {
    @Test("windows contain every token once, except a last window of one token")
    func cutting() {
        #expect(windows(of: [1, 2, 3, 4, 5], length: 2) == [[1, 2], [3, 4]])
        #expect(windows(of: [1, 2, 3, 4, 5], length: 3) == [[1, 2, 3], [4, 5]])
        #expect(windows(of: [], length: 3).isEmpty)
    }
}
