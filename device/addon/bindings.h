// Bindings: the table of all methods of a context.
#pragma once

#include <vector>

#include "binding.h"

namespace capstan {

const std::vector<Binding>& AllBindings();

}  // namespace capstan
