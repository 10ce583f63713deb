// SPDX-License-Identifier: BSD-3-Clause
// Python's view of the core: arrays in, arrays out, the GIL released while the core works.
#include "arrays.hpp"
#include "base/cpu.hpp"
#include "base/vector_width.hpp"

NB_MODULE(_core, m) {
  if (const char *reason = why_cpu_cannot_run()) throw nb::import_error(reason);
  // What still lives when Python ends is no leak: models in caches, or in what a traceback holds.
  nb::set_leak_warnings(false);
  m.doc() = "The compiled core of soap-gpr.";
  const nb::object base = nb::module_::import_("potential.errors").attr("SoapGprError");
  nb::exception<Error>(m, "CoreError", base);
  m.def("vector_width", &vector_width,
        "Numbers that the core computes with at a time: 8 with AVX-512, 4 with AVX2.");
  bind_evaluation(m);
  bind_tensors(m);
  bind_training(m);
  bind_files(m);
}
