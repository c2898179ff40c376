/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the model expects of one packet. Where more than one outcome is right
 * (answers are limited, a flow may have expired) there are several forecasts,
 * and the first that agrees with what was seen is what happened.
 */
#ifndef SELFTESTS_FORECAST_H
#define SELFTESTS_FORECAST_H

#include "model.h"

enum { FORECASTS = 24 };

enum forecast_frame {
	FRAME_AS_IT_CAME,
	FRAME_ANY, /* dropped: nobody sees it */
	FRAME_RETURNED,
	FRAME_TRANSLATED,
	FRAME_TRANSLATED_ERROR,
	FRAME_ANSWER_ICMP,
	FRAME_ANSWER_RST,
};

struct forecast {
	enum natxdp_reason reason;
	enum forecast_frame frame;
	struct wire_answer answer;
	bool touches;		 /* the packet counts for the flow */
	bool remembers, to_host; /* the first fragment of a datagram */
	bool piece;		 /* another fragment of a datagram */
	bool opens;
	bool learns;		 /* the external end is the data plane's choice */
	struct model_flow *flow; /* an old one, or NULL */
	struct model_flow fresh; /* if opens */
	int way;
	struct model_flow *gone; /* it has expired, if this is what happened */
	uint32_t asks;		 /* the inside host whose limits were asked, or 0 */
};

struct forecasts {
	/* the packet */
	struct model *model;
	enum box_side side;
	const uint8_t *frame;
	const struct wire *w;

	unsigned int count;
	struct forecast of[FORECASTS];
};

/* Fills in @all, of which the packet is given. */
void forecast(struct forecasts *all);

/* The flow that a packet with this forecast goes by, or NULL. */
struct model_flow *forecast_flow(struct forecast *fc);
/* The data plane has chosen: complete the flow that opens. */
void forecast_learn(struct forecast *fc, struct end external);
/* The tunnel that it goes into, and the label that it has there; 0: none. */
uint8_t forecast_tunnel(const struct forecast *fc, const struct wire *w, const struct model *m,
			struct model_label *label);
/* The frame that must come out, or be in the tunnel; returns its length. */
size_t forecast_build(const struct forecast *fc, const uint8_t *frame, size_t len,
		      const struct wire *w, uint8_t *to);
/* It happened: change the model. */
void forecast_commit(struct model *m, enum box_side side, struct forecast *fc,
		     const struct wire *w);

#endif
