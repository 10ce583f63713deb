// SPDX-License-Identifier: BSD-3-Clause
// The extension of a portable build: that for this processor, which lies beside it, by this name.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>

#include "base/cpu.hpp"

PyMODINIT_FUNC PyInit__core() {
  std::string problem;
  void *library =
      soap_gpr::open_best_build(reinterpret_cast<void *>(&PyInit__core), "soapgpr_core", problem);
  void *start = library ? dlsym(library, "PyInit__core") : nullptr;
  if (library && !start) problem = dlerror();
  if (start) return reinterpret_cast<PyObject *(*)()>(start)();
  PyErr_SetString(PyExc_ImportError, problem.c_str());
  return nullptr;
}
