'use strict';

/* What asv's pages lack for a thousand networks: a search among the values of a parameter, numbers with more than three
   digits, links from a range of commits, and a reason where the pages are opened as a file. */
$(document).ready(function () {
    var SEARCHED = 20;    // values of a parameter from which on a search is offered
    var PREFIXES = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, ''], [1e-3, 'm'], [1e-6, 'µ'], [1e-9, 'n']];

    function prefix(x) {
        return PREFIXES.find(function (each) { return Math.abs(x) >= each[0]; }) || [1, ''];
    }

    function is_ours(unit) {
        return unit !== 'seconds' && unit !== 'bytes';
    }

    /* Numbers: seconds and bytes as asv has them, fractions in percent, whole numbers whole, since each unit of a count
       may matter, anything else with a prefix and four digits. */
    var pretty = $.asv.pretty_unit;
    $.asv.pretty_unit = function (x, unit) {
        if (!is_ours(unit) || typeof x !== 'number') {
            return pretty(x, unit);
        }
        if (unit === 'fraction') {
            return (100 * x).toFixed(2) + ' %';
        }
        var name = unit === 'count' ? '' : unit;
        if (Number.isInteger(x)) {
            return (x.toLocaleString('en') + ' ' + name).trim();
        }
        var scale = prefix(x);
        return (Number((x / scale[0]).toPrecision(4)) + ' ' + scale[1] + name).trim();
    };

    /* An axis: with as many digits as tell its ticks apart. */
    var plot = $.plot;
    $.plot = $.extend(function (place, data, options) {
        var axis = (options || {}).yaxis || {};
        if (axis.axisLabel && axis.tickFormatter && !axis.transform && axis.axisLabel.indexOf('second') < 0 &&
                axis.axisLabel.indexOf('byte') < 0) {
            axis.tickFormatter = function (v, drawn) {
                var scale = axis.axisLabel === 'fraction' ? [0.01, '%'] : prefix(Math.max(-drawn.min, drawn.max));
                var digits = Math.max(0, Math.ceil(-Math.log10(drawn.tickSize / scale[0]) - 1e-9));
                return ((v / scale[0]).toFixed(Math.min(digits, 15)) + ' ' + scale[1]).trim();
            };
        }
        return plot(place, data, options);
    }, plot);

    /* A search above long lists of values; it stays when the list is made anew. */
    var asked = {};
    var panel = $.asv.ui.make_value_selector_panel;
    $.asv.ui.make_value_selector_panel = function (nav, heading, values, setup) {
        var body = panel(nav, heading, values, setup);
        if (values.length <= SEARCHED) {
            return body;
        }
        var input = $('<input type="search" class="form-control input-sm"/>');
        input.attr({placeholder: 'search ' + values.length, 'aria-label': 'search ' + heading}).val(asked[heading] || '').css('padding', '2px 6px');
        function narrow() {
            var words = (asked[heading] = input.val()).toLowerCase().split(/\s+/);
            body.find('.btn').each(function () {
                var text = this.textContent.toLowerCase();
                this.hidden = !words.every(function (word) { return text.indexOf(word) >= 0; });
                this.style.display = this.hidden ? 'none' : '';
            });
        }
        input.on('input', narrow);
        body.prepend(input);
        narrow();
        return body;
    };

    /* A range of commits leads to the later night, which tells what changed since the one before. */
    new MutationObserver(function () {
        $('#regressions-body td > span').each(function () {
            var range = this.textContent.match(/^([0-9a-f]+)\.\.([0-9a-f]+)$/);
            if (range) {
                $(this).replaceWith($('<a/>').attr('href', $.asv.main_json.show_commit_url + range[2]).text(range[0]));
            }
        });
    }).observe(document.getElementById('regressions-body'), {childList: true, subtree: true});

    if (location.protocol === 'file:') {
        $.asv.ui.network_error = function () {
            $('#error-message').text('A browser loads the data of these pages from a web server only: run ' +
                                     '"python -m http.server" in their folder and open http://localhost:8000/.');
            $('#error').modal('show');
        };
    }
});
