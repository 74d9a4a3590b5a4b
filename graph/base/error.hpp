// Error types, by who can fix the error:
//
//   UserError         the calling program passed an invalid argument
//   EnvironmentError  the machine lacks something (a file, a program; OutOfMemoryError: memory)
//   InternalError     a bug in xgrad; please report it
//
// A call that throws leaves graphs, parameters, files and workspaces unchanged.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace xgrad::inline v0 {

// The base of all errors of xgrad. A message reads `where: what is wrong: the values`, then one line per operand, at
// most one hint and, while a graph is being built, the source location and the layer.
class Error : public std::runtime_error {
 public:
  // what() is the message, followed by a line with where() if it is not empty.
  explicit Error(const std::string& message);

  // The message without the line of where().
  std::string message() const { return std::string(what()).substr(0, length_); }
  // `at model.cpp:42, in layer "deep/dense_1"`: source location and scope of the call that failed; empty if no graph
  // was being built.
  std::string where() const;

 private:
  std::size_t length_;  // of the message
};

// An invalid argument of the calling program.
class UserError : public Error {
  using Error::Error;
};

// Shapes, ranks or axes that a function does not accept.
class ShapeError : public UserError {
  using UserError::UserError;
};

// A dtype that a function does not accept, or operands of different dtypes.
class DTypeError : public UserError {
  using UserError::UserError;
};

// Empty, foreign or discarded handles; invalid names and scopes.
class GraphError : public UserError {
  using UserError::UserError;
};

// A derivative that does not exist.
class GradientError : public UserError {
  using UserError::UserError;
};

// Missing or unknown feeds, or feeds of the wrong shape or dtype.
class FeedError : public UserError {
  using UserError::UserError;
};

// Elements that a function does not accept at run time, such as an index out of range.
class ValueError : public UserError {
  using UserError::UserError;
};

// Malformed file content.
class FormatError : public UserError {
  using UserError::UserError;
};

// A failure of the machine: a file, a program or memory that is not available.
class EnvironmentError : public Error {
  using Error::Error;
};

// A failed memory allocation. The message gives the size or the purpose.
class OutOfMemoryError : public EnvironmentError {
  using EnvironmentError::EnvironmentError;
};

// A bug in xgrad: an internal invariant does not hold.
class InternalError : public Error {
 public:
  explicit InternalError(const std::string& what)
      : Error("internal error: " + what + " (this is a bug in xgrad, please report it)") {}
};

}  // namespace xgrad::inline v0
