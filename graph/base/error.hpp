// Error types. Three kinds, because three different people can mend them:
//
//   UserError         the program that calls xgrad asked for something that has no meaning
//   EnvironmentError  the machine lacks something (a file, a program; OutOfMemoryError: memory)
//   InternalError     xgrad broke one of its own promises; please report it
//
// Every message follows one pattern: `where: what is wrong: the facts`, then the operands one a line, then
// at most one hint, and last, while a graph is built, the line of the program and the layer. Whatever throws leaves
// graphs, parameters, files and workspaces as they were.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace xgrad::inline v0 {

class Error : public std::runtime_error {
 public:
  // what() is the message and, below it, where the program was when the error was made.
  explicit Error(const std::string& message);

  // Without the last line.
  std::string message() const { return std::string(what()).substr(0, length_); }
  // `at model.cpp:42, in layer "deep/dense_1"`: the line of the program that asked for what failed, and the scope it
  // failed in; empty if no graph was being built.
  std::string where() const;

 private:
  std::size_t length_;  // of the message
};

class UserError : public Error {
  using Error::Error;
};

// Shapes, ranks or axes that do not fit an operation.
class ShapeError : public UserError {
  using UserError::UserError;
};

// A dtype an operation does not take, or operands of different dtypes.
class DTypeError : public UserError {
  using UserError::UserError;
};

// Handles that are empty, foreign or discarded; misuse of names and scopes.
class GraphError : public UserError {
  using UserError::UserError;
};

// A derivative that was asked for and does not exist.
class GradientError : public UserError {
  using UserError::UserError;
};

// Feeds that are missing, unknown, or of the wrong shape or dtype.
class FeedError : public UserError {
  using UserError::UserError;
};

// Numbers met at run time that an operation cannot take, such as an index out of range.
class ValueError : public UserError {
  using UserError::UserError;
};

// Files whose content is not what it claims to be.
class FormatError : public UserError {
  using UserError::UserError;
};

class EnvironmentError : public Error {
  using Error::Error;
};

// Memory that the machine does not give. The message says how much was asked for, or for what.
class OutOfMemoryError : public EnvironmentError {
  using EnvironmentError::EnvironmentError;
};

class InternalError : public Error {
 public:
  explicit InternalError(const std::string& what)
      : Error("internal error: " + what + " (this is a bug in xgrad, please report it)") {}
};

}  // namespace xgrad::inline v0
