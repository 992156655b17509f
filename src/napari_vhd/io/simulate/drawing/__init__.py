"""The section as it looks under the microscope: H&E by optical densities."""
