# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "ami_id" {
  description = "Image of the nodes."
  type        = string
}

variable "lambda_packages" {
  description = "By architecture: the file that `make lambda` has built."
  type        = map(string)
}
