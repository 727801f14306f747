// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: an audio file goes to no model, or to one that stands in the file.
@Suite struct MultipartFormTests {
    private static func body(_ parts: [(String, String)]) -> ByteBuffer {
        ByteBuffer(string: parts.map { "--XyZ\r\n\($0.0)\r\n\r\n\($0.1)\r\n" }.joined() + "--XyZ--\r\n")
    }

    @Test(
        arguments: [
            (#"multipart/form-data; boundary=XyZ"#, "XyZ"), (#"Multipart/Form-Data; charset=utf-8; Boundary="a b""#, "a b"),
            ("application/json", nil), ("multipart/form-data", nil), ("multipart/form-data; boundary=", nil),
        ] as [(String, String?)])
    func findsTheBoundary(_ type: String, _ boundary: String?) {
        #expect(MultipartForm.boundary(contentType: type) == boundary)
    }

    @Test func findsTheFieldAndItsPlaceBehindAFile() throws {
        let file = (
            "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav", "RIFF\r\n--Xy name=\"model\"\r\n\r\nno"
        )
        let body = Self.body([file, ("content-disposition: form-data; name=\"model\"", "whisper-1")])
        let field = try #require(MultipartForm.field("model", of: body, boundary: "XyZ"))
        #expect(field.text == "whisper-1")
        let edited = BodyEdit.apply([BodyEdit(range: field.range, text: "large")], to: body)
        #expect(MultipartForm.field("model", of: edited, boundary: "XyZ")?.text == "large")
        #expect(edited.readableBytes == body.readableBytes - 4)
    }

    @Test func noFormNoField() {
        #expect(MultipartForm.field("model", of: Self.body([("Content-Disposition: form-data; name=\"other\"", "x")]), boundary: "XyZ") == nil)
        for text in ["", "--XyZ", "--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nhalf", "garbage"] {
            #expect(MultipartForm.field("model", of: ByteBuffer(string: text), boundary: "XyZ") == nil)
        }
    }
}
