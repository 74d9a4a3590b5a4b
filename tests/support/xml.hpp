// A small XML parser that throws unless the text is well-formed, for tests of SVG files.
//
//   for (const xml::Element& e : xml::parse(svg)) e.name, e.attributes.at("width"), e.text
#pragma once

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace xml {

struct Element {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;  // text directly in the element
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    check_characters();
    skip_blanks();
    element();
    skip_blanks();
    require(at_ == text_.size(), "content after the root element");
  }
  std::vector<Element> elements;  // in document order

 private:
  [[noreturn]] void fail(const char* what) const {
    throw std::runtime_error(std::string("xml: ") + what + " at byte " + std::to_string(at_));
  }
  void require(bool good, const char* what) const {
    if (!good) fail(what);
  }
  bool next_is(std::string_view wanted) const { return text_.substr(at_).starts_with(wanted); }
  void skip(std::string_view wanted) {
    require(next_is(wanted), "unexpected character");
    at_ += wanted.size();
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  // Checks for valid UTF-8 and characters that XML 1.0 allows.
  void check_characters() {
    for (std::size_t i = 0; i < text_.size();) {
      const auto lead = static_cast<unsigned char>(text_[i]);
      const std::size_t bytes = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
      at_ = i;
      require(lead < 0x80 || (lead >= 0xC2 && lead <= 0xF4), "no UTF-8");
      require(i + bytes <= text_.size(), "no UTF-8");
      unsigned long code = bytes == 1 ? lead : lead & (0x7FU >> bytes);
      for (std::size_t k = 1; k < bytes; ++k) {
        const auto byte = static_cast<unsigned char>(text_[i + k]);
        require((byte & 0xC0U) == 0x80, "no UTF-8");
        code = (code << 6U) | (byte & 0x3FU);
      }
      require(bytes == 1 || code >= (bytes == 2 ? 0x80UL : bytes == 3 ? 0x800UL : 0x10000UL), "an overlong encoding");
      const bool allowed = code == '\n' || code == '\t' || (code >= 0x20 && code <= 0xD7FF) ||
                           (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
      require(allowed, "a character that XML does not allow");
      i += bytes;
    }
    at_ = 0;
  }

  std::string name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:").find(text_[at_]) !=
               std::string_view::npos) {
      ++at_;
    }
    require(at_ > begin, "a name is expected");
    return std::string(text_.substr(begin, at_ - begin));
  }

  char reference() {
    for (const auto& [written, meant] :
         {std::pair{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}}) {
      if (next_is(written)) {
        skip(written);
        return meant;
      }
    }
    fail("an unknown reference");
  }

  std::string attribute_value() {
    require(next_is("\"") || next_is("'"), "a quote is expected");
    const char quote = text_[at_++];
    std::string out;
    while (true) {
      require(at_ < text_.size() && text_[at_] != '<', "an attribute does not end");
      if (text_[at_] == quote) break;
      out += text_[at_] == '&' ? reference() : text_[at_++];
    }
    ++at_;
    return out;
  }

  void element() {
    skip("<");
    const std::size_t mine = elements.size();
    elements.push_back({name(), {}, ""});
    while (true) {
      const std::size_t before = at_;
      skip_blanks();
      if (next_is("/>")) return skip("/>");
      if (next_is(">")) break;
      require(at_ > before, "a blank is expected");
      const std::string attribute = name();
      skip("=");
      require(elements[mine].attributes.emplace(attribute, attribute_value()).second, "an attribute is there twice");
    }
    skip(">");
    while (!next_is("</")) {
      require(at_ < text_.size(), "an element does not end");
      if (next_is("<"))
        element();
      else
        elements[mine].text += text_[at_] == '&' ? reference() : text_[at_++];
    }
    skip("</");
    require(name() == elements[mine].name, "another element ends");
    skip(">");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

inline std::vector<Element> parse(std::string_view text) { return Parser(text).elements; }

}  // namespace xml
